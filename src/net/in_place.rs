//! Weights out of a module and back into it, so that a GPU can update them in place: memory is reused only if nothing else refers
//! to it.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::named::{self, NamedMapper};
use crate::kernel::AnyRank;

/// Weights of a parameter, without autodiff.
#[derive(Debug)]
pub struct Taken {
    /// Values.
    pub weights: AnyRank,
    /// Number of dimensions.
    pub rank: usize,
    /// True if the parameter is trainable.
    pub is_trainable: bool,
}

/// Takes weights out of a module and leaves placeholders: those for which `wanted`, called with the name and with true for a trainable
/// parameter, is true. Returns them by name.
pub fn take<M: Module>(module: M, wanted: impl Fn(&str, bool) -> bool) -> (M, BTreeMap<String, Taken>) {
    let mut taker = Taker { wanted, taken: BTreeMap::new() };
    let module = named::map(module, &mut taker);
    (module, taker.taken)
}

/// Puts weights back under the names under which [`take`] took them out.
pub fn put<M: Module>(module: M, taken: BTreeMap<String, Taken>) -> M {
    named::map(module, &mut Putter { taken })
}

struct Taker<F> {
    wanted: F,
    taken: BTreeMap<String, Taken>,
}

impl<F: Fn(&str, bool) -> bool> NamedMapper for Taker<F> {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_trainable = param.is_require_grad();
        if !(self.wanted)(&name, is_trainable) {
            return param;
        }
        param.map(|weights| {
            let placeholder = Tensor::empty([1; D], &weights.device());
            self.taken.insert(name, Taken { weights: AnyRank::of(weights.inner()), rank: D, is_trainable });
            placeholder
        })
    }
}

struct Putter {
    taken: BTreeMap<String, Taken>,
}

impl NamedMapper for Putter {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(Taken { weights, is_trainable, .. }) = self.taken.remove(&name) else { return param };
        param.map(|_| Tensor::from_inner(weights.tensor()).set_require_grad(is_trainable))
    }
}
