//! Augmented views: the same random draws give the same pixels.

use burn::tensor::{Device, Tensor, TensorData};
use nolabel::rng::{Purpose, stream, uniform};
use nolabel::view::recipe;

use crate::device::gpu;

#[test]
fn views_of_every_recipe_are_the_cpus() {
    for name in recipe::names() {
        for channels in [1, 3] {
            let recipe = recipe::find(name).expect("a listed recipe").scaled_to(24);
            let views = |device: &Device| {
                let pixels = uniform(&mut stream(5, Purpose::Views, 1), 5 * channels * 30 * 26, 0.0, 1.0);
                let images = Tensor::<4>::from_data(TensorData::new(pixels, [5, channels, 30, 26]), device);
                let views = recipe.views(&images, &mut stream(1, Purpose::Views, 0));
                views
                    .into_iter()
                    .map(|view| view.into_data().try_into_vec::<f32>().expect("floats"))
                    .collect::<Vec<_>>()
            };
            for (number, (expected, found)) in views(&Device::flex()).iter().zip(views(&gpu())).enumerate() {
                assert_eq!(expected.len(), found.len());
                // a pixel at a threshold may fall to either side of it
                let far = expected.iter().zip(&found).filter(|(a, b)| (**a - **b).abs() > 1e-4).count();
                assert!(
                    far * 200 <= expected.len(),
                    "{name}, {channels} channels, view {number}: {far} of {}",
                    expected.len()
                );
            }
        }
    }
}
