//! Building blocks of more than one method.

pub(super) mod augmented_views;
pub(super) mod crop;
pub(super) mod fc_head;
pub(super) mod options;
pub(super) mod solo_learn;
