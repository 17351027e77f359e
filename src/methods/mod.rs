//! The methods. Each is one file or folder, and one line of the list below, from which menus, help, the README's table and the
//! contract tests follow.

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

        /// All methods, in the order of menus.
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
    vicreg::Vicreg,
}

/// Id of the method for a first look: its task needs the fewest words, and its progress shows within seconds.
pub const FIRST: &str = <rotation::Rotation as Method>::INFO.id;

/// Ids of the methods to begin with, one of each of the larger groups: their pictures need no explanation.
pub const STARTERS: [&str; 3] =
    [FIRST, <context_encoder::ContextEncoder as Method>::INFO.id, <simsiam::SimSiam as Method>::INFO.id];

/// Method with this id.
///
/// # Errors
/// If there is none; the message lists all ids.
pub fn find(id: &str) -> Result<&'static Entry> {
    METHODS.iter().find(|entry| entry.info().id == id).ok_or_else(|| {
        let known: Vec<_> = METHODS.iter().map(|entry| entry.info().id).collect();
        Error::Config(format!("there is no method `{id}`; there are: {}", known.join(", ")))
    })
}
