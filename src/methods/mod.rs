//! The methods: one file, or one folder, and one line of the list each. Menus, help, the README's table and the tests are
//! made from the list.

#[cfg(test)]
mod contract_tests;
mod shared;
#[cfg(test)]
pub(crate) mod test_support;

use crate::error::{Error, Result};
use crate::method::{Entry, Method};

macro_rules! methods {
    ($($file:ident::$model:ident),+ $(,)?) => {
        $(pub mod $file;)+

        /// Every method, in the order menus show them.
        pub const METHODS: &[Entry] = &[$(Entry::of::<$file::$model>()),+];
    };
}

methods! {
    exemplar::Exemplar,
    context_prediction::ContextPrediction,
    jigsaw::Jigsaw,
    colorization::Colorization,
    context_encoder::ContextEncoder,
    split_brain::SplitBrain,
    motion::Motion,
    multi_task::MultiTask,
    rotation::Rotation,
    aet::Aet,
    pirl::Pirl,
    moco::Moco,
    byol::Byol,
    simclr::SimClr,
    swav::Swav,
    simsiam::SimSiam,
    barlow_twins::BarlowTwins,
}

/// Id of the method for a first look: its task needs the fewest words, and its progress shows within seconds.
pub const FIRST: &str = <rotation::Rotation as Method>::INFO.id;

/// The method of this id.
///
/// # Errors
/// When there is none; the sentence lists those there are.
pub fn find(id: &str) -> Result<&'static Entry> {
    METHODS.iter().find(|entry| entry.info().id == id).ok_or_else(|| {
        let known: Vec<_> = METHODS.iter().map(|entry| entry.info().id).collect();
        Error::Config(format!("there is no method `{id}`; there are: {}", known.join(", ")))
    })
}
