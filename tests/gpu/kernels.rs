//! Single kernels: outputs and gradients on odd shapes.

use burn::tensor::{Int, Tensor, TensorData};
use nolabel::kernel::{self, ConvGeometry, PoolConfig};
use nolabel::{loss, view};

use crate::device::{Results, assert_same, leaf, random, result};

/// Largest difference, relative to the largest value of a tensor.
const ALLOWED: f32 = 1e-4;

/// Images, input and output channels, rows, columns, filter rows and columns, stride, padding, dilation.
type Case = (usize, [usize; 2], [usize; 2], [usize; 2], usize, usize, usize);

const CASES: [Case; 18] = [
    (2, [1, 3], [6, 6], [3, 3], 1, 1, 1),
    (2, [3, 17], [7, 7], [3, 3], 2, 1, 1),
    (3, [9, 64], [7, 5], [3, 3], 1, 1, 1),
    (2, [17, 9], [3, 3], [3, 3], 1, 1, 1),
    (2, [64, 65], [7, 7], [3, 3], 1, 1, 1),
    (1, [2, 2], [9, 9], [5, 5], 1, 2, 1),
    (5, [3, 4], [5, 5], [1, 1], 1, 0, 1),
    (5, [64, 17], [7, 7], [1, 1], 2, 0, 1),
    (1, [2, 3], [6, 6], [2, 2], 2, 0, 1),
    (2, [3, 5], [9, 9], [3, 3], 1, 2, 2),
    (2, [3, 5], [11, 7], [3, 1], 2, 1, 1),
    // one pixel, and a filter that reaches over it
    (70, [9, 33], [1, 1], [1, 1], 1, 0, 1),
    (2, [1, 2], [1, 1], [5, 5], 1, 2, 1),
    // more images than a tile or a share, and rows of the input that no filter reads
    (70, [3, 9], [4, 4], [3, 3], 1, 1, 1),
    (9, [1, 17], [28, 28], [4, 4], 3, 0, 1),
    // so many pixels that the tiles are large: of 128 columns, of 64 and of 16
    (43, [3, 130], [28, 28], [3, 3], 1, 1, 1),
    (43, [2, 50], [28, 28], [1, 1], 1, 0, 1),
    (43, [17, 5], [28, 28], [3, 3], 1, 1, 1),
];

/// The output y of a layer, and the gradients of a weighted sum of it for the layer's tensors.
fn with_gradients<const D: usize>(y: Tensor<D>, x: &Tensor<D>, w: &Tensor<D>, bias: Option<&Tensor<1>>) -> Results {
    let g = Tensor::<D>::from_data(random(4, &y.dims()), &y.device());
    let gradients = (y.clone() * g).sum().backward();
    let mut results = vec![
        result("y", y),
        result("dx", x.grad(&gradients).expect("dx")),
        result("dw", w.grad(&gradients).expect("dw")),
    ];
    results.extend(bias.map(|bias| result("db", bias.grad(&gradients).expect("db"))));
    results
}

#[test]
fn convolutions_and_their_gradients_are_the_cpus() {
    for (n, [input, output], side, filter, stride, padding, dilation) in CASES {
        let geometry = ConvGeometry { stride, padding, dilation, groups: 1 };
        for with_bias in [false, true] {
            let what =
                format!("{n} images, {input} to {output} channels, {side:?}, {filter:?}, {geometry:?}, {with_bias}");
            assert_same(&what, ALLOWED, |device| -> Results {
                let x = leaf(1, [n, input, side[0], side[1]], device);
                let w = leaf(2, [output, input, filter[0], filter[1]], device);
                let b = leaf(3, [output], device);
                let y = kernel::convolve(x.clone(), w.clone(), with_bias.then(|| b.clone()), geometry);
                with_gradients(y, &x, &w, with_bias.then_some(&b))
            });
        }
    }
}

#[test]
fn linear_layers_and_their_gradients_are_the_cpus() {
    for (n, input, output, with_bias) in [(1, 1, 1, true), (3, 17, 4, true), (300, 70, 33, false), (300, 64, 65, true)]
    {
        let what = format!("{n} rows, {input} to {output}, {with_bias}");
        assert_same(&what, ALLOWED, |device| -> Results {
            let x = leaf(1, [n, input], device);
            let w = leaf(2, [output, input], device);
            let b = leaf(3, [output], device);
            let y = kernel::linear(x.clone(), w.clone(), with_bias.then(|| b.clone()));
            with_gradients(y, &x, &w, with_bias.then_some(&b))
        });
    }
}

#[test]
fn mean_pooling_and_its_gradient_are_the_cpus() {
    for shape in [[2, 3, 7, 5], [1, 17, 1, 1], [9, 64, 3, 3]] {
        assert_same(&format!("{shape:?}"), ALLOWED, |device| -> Results {
            let x = leaf(1, shape, device);
            let y = kernel::mean_pool(x.clone());
            let g = Tensor::<2>::from_data(random(4, &y.dims()), device);
            let gradients = (y.clone() * g).sum().backward();
            vec![result("y", y), result("dx", x.grad(&gradients).expect("dx"))]
        });
    }
}

#[test]
fn max_pooling_and_its_gradient_are_the_cpus() {
    for shape in [[2, 3, 7, 5], [1, 17, 3, 4], [70, 9, 6, 6], [2, 64, 28, 28]] {
        for (window, stride, padding, ceil) in
            [(2, 2, 0, false), (3, 2, 1, false), (3, 2, 0, false), (3, 2, 0, true), (3, 1, 1, false)]
        {
            for relu in [false, true] {
                let config = PoolConfig { window, stride, padding, ceil, relu };
                assert_same(&format!("{shape:?}, {config:?}"), ALLOWED, |device| -> Results {
                    let x = leaf(1, shape, device);
                    let y = kernel::max_pool(x.clone(), config);
                    assert_eq!(y.dims()[2..], [shape[2], shape[3]].map(|side| config.output_side(side)));
                    let g = Tensor::<4>::from_data(random(4, &y.dims()), device);
                    let gradients = (y.clone() * g).sum().backward();
                    vec![result("y", y), result("dx", x.grad(&gradients).expect("dx"))]
                });
            }
        }
    }
}

#[test]
fn cross_entropy_and_its_gradient_are_the_cpus() {
    for (rows, classes) in [(1, 1), (7, 4), (300, 17), (3, 700)] {
        assert_same(&format!("{rows} rows, {classes} classes"), ALLOWED, |device| -> Results {
            let z = leaf(1, [rows, classes], device);
            let labels: Vec<i32> = (0..rows).map(|row| (row * 5 % classes) as i32).collect();
            let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), device);
            let loss = kernel::cross_entropy(z.clone() * 9.0, labels);
            let gradients = (loss.clone() * 3.0).backward();
            vec![result("loss", loss), result("dz", z.grad(&gradients).expect("dz"))]
        });
    }
}

#[test]
fn quarter_turns_are_the_cpus() {
    for shape in [[2, 1, 7, 7], [3, 3, 4, 4], [1, 2, 1, 1]] {
        assert_same(&format!("{shape:?}"), 0.0, |device| -> Results {
            let x = Tensor::<4>::from_data(random(1, &shape), &device.clone().inner());
            vec![result("turns", view::all_rotations(x))]
        });
    }
}

#[test]
fn cosines_and_their_gradient_are_the_cpus() {
    for [rows, width] in [[1, 2], [7, 4], [300, 17], [3, 700]] {
        assert_same(&format!("{rows} rows, {width} columns"), ALLOWED, |device| -> Results {
            let p = leaf(1, [rows, width], device);
            let z = leaf(2, [rows, width], device);
            let loss = loss::negative_cosine(p.clone(), z, true);
            let gradients = (loss.clone() * 3.0).backward();
            vec![result("loss", loss), result("dp", p.grad(&gradients).expect("dp"))]
        });
    }
}

#[test]
fn unit_rows_and_their_gradient_are_the_cpus() {
    for [rows, width] in [[1, 2], [7, 4], [300, 17], [3, 700]] {
        assert_same(&format!("{rows} rows, {width} columns"), ALLOWED, |device| -> Results {
            // the first row is zero
            let mask = Tensor::<2>::ones([rows, 1], device).slice_assign([0..1, 0..1], Tensor::zeros([1, 1], device));
            let x = leaf(1, [rows, width], device);
            let y = kernel::unit_rows(x.clone() * mask);
            let g = Tensor::<2>::from_data(random(4, &y.dims()), device);
            let gradients = (y.clone() * g).sum().backward();
            vec![result("y", y), result("dx", x.grad(&gradients).expect("dx"))]
        });
    }
}

#[test]
fn accuracies_are_the_cpus() {
    for (rows, classes) in [(1, 1), (7, 4), (300, 17), (3, 700)] {
        assert_same(&format!("{rows} rows, {classes} classes"), ALLOWED, |device| -> Results {
            // few different values, so that many rows have several largest ones
            let z = Tensor::<2>::from_data(random(1, &[rows, classes]), device).mul_scalar(2.0).round();
            let labels: Vec<i32> = (0..rows).map(|row| (row * 5 % classes) as i32).collect();
            let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), device);
            vec![result("accuracy", loss::accuracy(z, labels))]
        });
    }
}

#[test]
fn barlow_twins_and_its_gradients_are_the_cpus() {
    for [rows, width] in [[5, 3], [300, 17], [7, 70]] {
        assert_same(&format!("{rows} rows, {width} columns"), ALLOWED, |device| -> Results {
            let a = leaf(1, [rows, width], device);
            let b = leaf(2, [rows, width], device);
            let found = loss::barlow_twins(a.clone(), b.clone() + a.clone() * 0.5, 0.1, 0.3);
            let gradients = (found.loss.clone() * 3.0).backward();
            vec![
                result("loss", found.loss),
                result("diagonal", found.diagonal),
                result("correlation", found.correlation),
                result("da", a.grad(&gradients).expect("da")),
                result("db", b.grad(&gradients).expect("db")),
            ]
        });
    }
}
