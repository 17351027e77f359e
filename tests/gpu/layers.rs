//! Layers with batch norm: outputs, gradients and running statistics.

use burn::module::Param;
use burn::tensor::Tensor;
use nolabel::net::{BatchNorm, Conv2d, Init, Linear};
use nolabel::rng::{Purpose, stream};

use crate::device::{Results, assert_same, leaf, random, result};

/// Largest difference, relative to the largest value of a tensor. The statistics are summed in another order, and their difference is
/// divided by a deviation.
const ALLOWED: f32 = 2e-4;

/// Images, input and output channels, rows (and columns), stride, norm groups.
type Case = (usize, [usize; 2], usize, usize, usize);

const CASES: [Case; 10] = [
    (2, [1, 3], 6, 1, 1),
    (2, [3, 17], 7, 2, 1),
    (4, [9, 64], 7, 1, 2),
    (6, [17, 65], 3, 1, 3),
    (70, [2, 9], 4, 1, 1),
    (70, [2, 9], 5, 1, 2),
    (3, [1, 32], 28, 1, 1),
    (8, [3, 70], 1, 1, 4),
    // so many pixels that the tiles are large: of 128 columns and of 64
    (44, [3, 128], 28, 1, 2),
    (44, [2, 40], 28, 1, 1),
];

#[test]
fn units_of_convolution_and_norm_are_the_cpus() {
    for (n, channels, side, stride, groups) in CASES {
        for (relu, pool, affine) in [(true, 1, true), (true, 2, true), (false, 1, true), (false, 2, false)] {
            if side.div_ceil(stride) < pool {
                continue;
            }
            let what =
                format!("{n} images, {channels:?}, {side} px, stride {stride}, {groups}, {relu}, {pool}, {affine}");
            assert_same(&what, ALLOWED, |device| -> Results {
                let mut init = Init::new(stream(1, Purpose::Weights, 0), device);
                init.replace_norm_groups(groups);
                let conv = Conv2d::init(channels, 3, stride, 1, &mut init);
                let norm = BatchNorm::init(channels[1], affine, &mut init);
                let x = leaf(1, [n, channels[0], side, side], device);
                let y = norm.after_convolution(&conv, x.clone() + 0.5, relu, pool);
                let g = Tensor::<4>::from_data(random(4, &y.dims()), device);
                let gradients = (y.clone() * g).sum().backward();
                let mut results = vec![
                    result("y", y),
                    result("dx", x.grad(&gradients).expect("dx")),
                    result("dw", conv.weight.val().grad(&gradients).expect("dw")),
                    result("running mean", norm.running_mean.value()),
                    result("running variance", norm.running_var.value()),
                ];
                for (name, vector) in [("dscale", &norm.weight), ("dshift", &norm.bias)] {
                    if let Some(vector) = vector {
                        results.push(result(name, vector.val().grad(&gradients).expect(name)));
                    }
                }
                results
            });
        }
    }
}

#[test]
fn units_of_linear_layer_and_norm_are_the_cpus() {
    for (n, [input, output], groups, relu) in
        [(2, [3, 4], 1, true), (300, [17, 65], 1, false), (256, [64, 32], 8, true)]
    {
        assert_same(&format!("{n} rows, {input} to {output}, {groups}, {relu}"), ALLOWED, |device| -> Results {
            let mut init = Init::new(stream(1, Purpose::Weights, 0), device);
            init.replace_norm_groups(groups);
            let linear = Linear::init(input, output, false, &mut init);
            let norm = BatchNorm::init(output, true, &mut init);
            let x = leaf(1, [n, input], device);
            let y = norm.after_linear(&linear, x.clone(), relu);
            let g = Tensor::<2>::from_data(random(4, &y.dims()), device);
            let gradients = (y.clone() * g).sum().backward();
            vec![
                result("y", y),
                result("dx", x.grad(&gradients).expect("dx")),
                result("dw", linear.weight.val().grad(&gradients).expect("dw")),
                result("running variance", norm.running_var.value()),
            ]
        });
    }
}

#[test]
fn units_with_a_residual_are_the_cpus() {
    for (n, channels, side, stride, groups) in CASES {
        let what = format!("{n} images, {channels:?}, {side} px, stride {stride}, {groups}");
        assert_same(&what, ALLOWED, |device| -> Results {
            let mut init = Init::new(stream(1, Purpose::Weights, 0), device);
            init.replace_norm_groups(groups);
            let conv = Conv2d::init(channels, 3, stride, 1, &mut init);
            let norm = BatchNorm::init(channels[1], true, &mut init);
            let x = leaf(1, [n, channels[0], side, side], device);
            let rows = side.div_ceil(stride);
            let residual = leaf(2, [n, channels[1], rows, rows], device);
            let y = norm.after_convolution_with_residual(&conv, x.clone() + 0.5, residual.clone());
            let g = Tensor::<4>::from_data(random(4, &y.dims()), device);
            let gradients = (y.clone() * g).sum().backward();
            let vector = |tensor: &Option<Param<Tensor<1>>>| tensor.as_ref().expect("a vector").val();
            vec![
                result("y", y),
                result("dx", x.grad(&gradients).expect("dx")),
                result("dw", conv.weight.val().grad(&gradients).expect("dw")),
                result("dscale", vector(&norm.weight).grad(&gradients).expect("dscale")),
                result("dshift", vector(&norm.bias).grad(&gradients).expect("dshift")),
                result("dresidual", residual.grad(&gradients).expect("dresidual")),
                result("running mean", norm.running_mean.value()),
            ]
        });
    }
}
