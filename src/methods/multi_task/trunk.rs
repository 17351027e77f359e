//! One encoder for several tasks, each of which reads the last map or its own mixture of all maps.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

use crate::net::{Conv2d, Encoder, Init};

/// Encoder, and the mixtures that the tasks read.
#[derive(Module, Debug)]
pub struct Trunk {
    /// Encoder of all tasks.
    pub encoder: Encoder,
    mixture: Option<Mixture>,
}

/// Task n reads `sum_m alpha_nm P_m(x_m)` of the maps x_m of all layers: P_m is average pooling to the size of the last map and a 1x1
/// convolution to its channels, shared by all tasks; the last map is read as it is. In the paper the layers are the 23 units of one
/// block, all of one size (Doersch and Zisserman 2017, section 3.2).
#[derive(Module, Debug)]
struct Mixture {
    /// 1x1 convolutions of all layers but the last.
    adapters: Vec<Conv2d>,
    /// Weights `[tasks, layers]`.
    alpha: Param<Tensor<2>>,
}

impl Trunk {
    /// Trunk whose tasks read the last map.
    pub(crate) fn plain(encoder: Encoder) -> Self {
        Self { encoder, mixture: None }
    }

    /// Trunk with a mixture for each task, of equal weights at first, for images of this size (channels, rows, columns).
    pub(crate) fn mixed(encoder: Encoder, tasks: usize, [channels, h, w]: [usize; 3], init: &mut Init) -> Self {
        let layers = encoder.layer_names().len() - 1;
        let alpha = init.constant([tasks, layers], 1.0 / layers as f32);
        // for the widths only; without gradients running statistics do not change
        let maps = encoder.valid().maps(Tensor::zeros([1, channels, h, w], &alpha.val().device().inner()));
        let widths: Vec<usize> = maps.iter().map(|map| map.dims()[1]).collect();
        let (last, earlier) = widths.split_last().expect("an encoder has a layer");
        let adapters = earlier.iter().map(|&width| Conv2d::init([width, *last], 1, 1, 0, init)).collect();
        Self { encoder, mixture: Some(Mixture { adapters, alpha }) }
    }

    /// Map that task number `task` reads: `[n, c, h, w]` in 0 to 1 -> `[n, width, h_l, w_l]`.
    pub(crate) fn read(&self, task: usize, images: Tensor<4>) -> Tensor<4> {
        let Some(Mixture { adapters, alpha }) = &self.mixture else { return self.encoder.last_map(images) };
        let mut maps = self.encoder.maps(images);
        let last = maps.pop().expect("an encoder has a layer");
        let [_, _, h, w] = last.dims();
        let row = alpha.val().narrow(0, task, 1); // [1, layers]
        let share = |layer: usize| row.clone().narrow(1, layer, 1).reshape([1, 1, 1, 1]);
        let own = last * share(adapters.len());
        adapters.iter().zip(maps).enumerate().fold(own, |sum, (layer, (adapter, map))| {
            sum + adapter.forward(adaptive_avg_pool2d(map, [h, w])) * share(layer)
        })
    }

    /// `sum |alpha|`, `[1]`: the lasso, which leaves few layers to each task (Tibshirani 1996).
    pub(crate) fn sparsity(&self) -> Option<Tensor<1>> {
        self.mixture.as_ref().map(|mixture| mixture.alpha.val().abs().sum())
    }

    /// Weights of the mixtures: `[tasks, layers]`.
    pub(crate) fn shares(&self) -> Option<Tensor<2>> {
        self.mixture.as_ref().map(|mixture| mixture.alpha.val().inner())
    }

    #[cfg(test)]
    pub(crate) fn with_shares(self, shares: Tensor<2>) -> Self {
        let with = |mixture: Mixture| Mixture { alpha: mixture.alpha.map(|_| shares.require_grad()), ..mixture };
        Self { mixture: self.mixture.map(with), ..self }
    }
}
