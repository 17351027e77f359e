//! Augmented views in one launch: crop, resize, mirror, and a sequence of pointwise colour steps with parameters of its own for
//! each image.

use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::layout::{empty, nchw};
use super::reduce::{THREADS, total};
use crate::kernel::{STEP_NUMBERS, ViewConfig, WINDOW_NUMBERS};

/// Weights of red, green and blue in gray.
const LUMA: [f32; 3] = [0.2989, 0.587, 0.114];
/// Complements of red, green and blue on the colour circle, in turns: each channel is darkest there.
const COMPLEMENTS: [f32; 3] = [1.0 / 2.0, 5.0 / 6.0, 1.0 / 6.0];

/// Properties of a view that are known when its kernel is compiled.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
struct ViewPlan {
    channels: usize,
    height: usize,
    width: usize,
    config: ViewConfig,
}

/// Interpolation kernel at distance `t >= 0`: a triangle, or Keys' cubic with a = -1/2.
#[cube]
fn interpolation(t: f32, #[comptime] bicubic: bool) -> f32 {
    if comptime!(bicubic) {
        let near = min(t, 1.0f32);
        let far = clamp(t, 1.0f32, 2.0f32);
        let inner = (near * 1.5f32 - 2.5f32) * near * near + 1.0f32;
        inner + ((far * -0.5f32 + 2.5f32) * far - 4.0f32) * far + 2.0f32
    } else {
        max(1.0f32 - t, 0.0f32)
    }
}

/// Centre of output pixel `at` of `output` in the source, and the factor by which the kernel is widened, for a window of `length` pixels
/// from `start`.
#[cube]
fn centre(at: usize, start: f32, length: f32, #[comptime] output: usize) -> (f32, f32) {
    let scale = length / comptime!(output as f32);
    (start + (f32::cast_from(at) + 0.5f32) * scale, max(scale, 1.0f32))
}

/// First and last source pixel (exclusive) in reach of the kernel, inside the window.
#[cube]
fn reach(centre: f32, stretch: f32, start: f32, length: f32, #[comptime] bicubic: bool) -> (usize, usize) {
    let radius = stretch * comptime!(if bicubic { 2.0f32 } else { 1.0f32 });
    let first = max(f32::floor(centre - radius - 0.5f32), start);
    let end = min(f32::ceil(centre + radius + 0.5f32), start + length);
    (usize::cast_from(first), usize::cast_from(end))
}

/// Sum of the kernel's weights over its reach.
#[cube]
fn weight_sum(centre: f32, stretch: f32, first: usize, end: usize, #[comptime] bicubic: bool) -> f32 {
    let mut sum = 0.0f32;
    for p in first..end {
        let distance = f32::abs(f32::cast_from(p) + 0.5f32 - centre) / stretch;
        sum += interpolation(distance, bicubic);
    }
    max(sum, 1e-6f32)
}

/// Writes one pixel of the crop, all channels.
#[cube]
fn crop_pixel(x: &[f32], numbers: &[f32], y: &mut [f32], image: usize, pixel: usize, #[comptime] plan: ViewPlan) {
    let ViewPlan { channels, height, width, config } = comptime!(plan);
    let [rows, columns] = comptime!(config.size);
    let bicubic = comptime!(config.bicubic);
    let at = image * comptime!(config.numbers());
    let row = pixel / columns;
    let column = select(numbers[at + 4] > 0.5f32, columns - 1 - pixel % columns, pixel % columns);
    let (down, down_stretch) = centre(row, numbers[at], numbers[at + 2], rows);
    let (across, across_stretch) = centre(column, numbers[at + 1], numbers[at + 3], columns);
    let (top, bottom) = reach(down, down_stretch, numbers[at], numbers[at + 2], bicubic);
    let (left, right) = reach(across, across_stretch, numbers[at + 1], numbers[at + 3], bicubic);
    let total =
        weight_sum(down, down_stretch, top, bottom, bicubic) * weight_sum(across, across_stretch, left, right, bicubic);
    #[unroll]
    for channel in 0..channels {
        let plane = (image * channels + channel) * comptime!(height * width);
        let mut sum = 0.0f32;
        for p in top..bottom {
            let distance = f32::abs(f32::cast_from(p) + 0.5f32 - down) / down_stretch;
            let weight = interpolation(distance, bicubic);
            for q in left..right {
                let distance = f32::abs(f32::cast_from(q) + 0.5f32 - across) / across_stretch;
                sum += weight * interpolation(distance, bicubic) * x[plane + p * width + q];
            }
        }
        let mut value = sum / total;
        if comptime!(bicubic) {
            value = clamp(value, 0.0f32, 1.0f32);
        }
        y[(image * comptime!(rows * columns) + pixel) * channels + channel] = value;
    }
}

/// Gray of a pixel; a pixel of one channel is its own gray.
#[cube]
fn gray(pixel: &Array<f32>, #[comptime] channels: usize) -> f32 {
    if comptime!(channels == 1) {
        pixel[0]
    } else {
        pixel[0] * comptime!(LUMA[0]) + pixel[1] * comptime!(LUMA[1]) + pixel[2] * comptime!(LUMA[2])
    }
}

/// Distance of a number from the whole number below it.
#[cube]
fn fraction(x: f32) -> f32 {
    x - f32::floor(x)
}

/// Turns the hue of a pixel of three channels; value and range stay (see `view::adjust_hue`).
#[cube]
fn turn_hue(pixel: &mut Array<f32>, turn: f32) {
    let red = pixel[0];
    let green = pixel[1];
    let blue = pixel[2];
    let upper = max(green, blue);
    let lower = min(green, blue);
    let value = max(red, upper);
    let middle = min(red, upper);
    let range = value - min(middle, lower);
    let swapped = select(green < blue, 1.0f32, 0.0f32);
    let beaten = select(red < upper, 1.0f32, 0.0f32);
    let offset = beaten * (swapped * 2.0f32 - comptime!(1.0f32 / 3.0)) - swapped;
    let hue = f32::abs(offset + (middle - lower) / (6.0f32 * range + 1e-12f32));
    #[unroll]
    for channel in 0..3usize {
        let shift = fraction(turn - comptime!(COMPLEMENTS[channel]) + 0.5f32) - 1.0f32;
        let distance = f32::abs(f32::abs(hue + shift) - 0.5f32);
        pixel[channel] = value - range * clamp(2.0f32 - 6.0f32 * distance, 0.0f32, 1.0f32);
    }
}

/// Applies one colour step to a pixel: the linear change, the clip, the hue, the solarisation. `gray_terms` is what the change adds to
/// every channel.
#[cube]
fn step_pixel(
    pixel: &mut Array<f32>,
    means: &Array<f32>,
    gray_terms: f32,
    numbers: &[f32],
    at: usize,
    #[comptime] channels: usize,
) {
    #[unroll]
    for channel in 0..channels {
        let mut value = numbers[at] * pixel[channel] + gray_terms + numbers[at + 3] * means[channel];
        if numbers[at + 5] > 0.5f32 {
            value = clamp(value, 0.0f32, 1.0f32);
        }
        pixel[channel] = value;
    }
    if comptime!(channels == 3) {
        if numbers[at + 6] != 0.0f32 {
            turn_hue(pixel, numbers[at + 6]);
        }
    }
    #[unroll]
    for channel in 0..channels {
        if pixel[channel] >= numbers[at + 7] {
            pixel[channel] = 1.0f32 - pixel[channel];
        }
    }
}

/// One workgroup per image. A thread works on the same pixels throughout, so that threads exchange nothing but the image's mean.
#[cube(launch_unchecked)]
fn view_kernel(x: &[f32], numbers: &[f32], y: &mut [f32], #[comptime] plan: ViewPlan) {
    let channels = comptime!(plan.channels);
    let pixels = comptime!(plan.config.size[0] * plan.config.size[1]);
    let image = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let mut scratch = Shared::<[f32]>::new_slice(THREADS);
    let mut pixel = unit;
    while pixel < pixels {
        crop_pixel(x, numbers, y, image, pixel, plan);
        pixel += THREADS;
    }
    let mut values = Array::<f32>::new(channels);
    let mut means = Array::<f32>::new(channels);
    for step in 0..comptime!(plan.config.steps) {
        #[unroll]
        for channel in 0..channels {
            let mut sum = 0.0f32;
            pixel = unit;
            while pixel < pixels {
                sum += y[(image * pixels + pixel) * channels + channel];
                pixel += THREADS;
            }
            means[channel] = total(sum, &mut scratch) / comptime!(pixels as f32);
        }
        let at = image * comptime!(plan.config.numbers()) + WINDOW_NUMBERS + step * STEP_NUMBERS;
        let mean_terms = numbers[at + 2] * gray(&means, channels) + numbers[at + 4];
        pixel = unit;
        while pixel < pixels {
            let first = (image * pixels + pixel) * channels;
            #[unroll]
            for channel in 0..channels {
                values[channel] = y[first + channel];
            }
            let gray_terms = numbers[at + 1] * gray(&values, channels) + mean_terms;
            step_pixel(&mut values, &means, gray_terms, numbers, at, channels);
            #[unroll]
            for channel in 0..channels {
                y[first + channel] = values[channel];
            }
            pixel += THREADS;
        }
    }
}

/// `[n, c, h, w]` and numbers `[n, p]` -> `[n, c, h', w']`.
pub(super) fn forward(images: CubeTensor, numbers: CubeTensor, config: ViewConfig) -> CubeTensor {
    let images = into_contiguous(images);
    let numbers = into_contiguous(numbers);
    let [count, channels, height, width] = images.meta.shape().dims();
    let y = empty(&images, [count, config.size[0], config.size[1], channels]);
    let client = images.client.clone();
    // SAFETY: one workgroup per image; the reach of the interpolation is cut to the window, which lies inside the image
    unsafe {
        view_kernel::launch_unchecked(
            &client,
            CubeCount::Static(count as u32, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            images.into_buffer_arg(),
            numbers.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            ViewPlan { channels, height, width, config },
        );
    }
    nchw(y)
}
