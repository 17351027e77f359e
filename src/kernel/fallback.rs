//! Calls of Burn's operations on a GPU in place of kernels of ours, for the debug output of a run.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::is_gpu;

thread_local! {
    static FALLBACKS: RefCell<BTreeMap<String, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// Counts a call of Burn's operation on `x`, if `x` is on a GPU.
pub fn count_fallback<const D: usize>(operation: &str, x: &Tensor<D>) {
    if is_gpu(&x.device()) {
        let name = format!("{operation} of {:?}", x.dims());
        FALLBACKS.with_borrow_mut(|counts| *counts.entry(name).or_default() += 1);
    }
}

/// Operations that were counted on this thread since the last call, with the shape of their input, and the number of calls of each.
pub fn take_fallbacks() -> BTreeMap<String, usize> {
    FALLBACKS.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_cpu_has_no_fallbacks() {
        count_fallback("pooling", &Tensor::<1>::zeros([3], &Device::flex()));
        assert!(take_fallbacks().is_empty());
    }
}
