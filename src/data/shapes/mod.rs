//! Generated clips: textured shapes move over a textured background, under a camera that pans and zooms a little, with
//! noise. Methods are not told where the shapes are; the kind of shape is the class for probes.

mod sprite;
mod texture;

use rand::RngExt;

use super::{Dataset, Sequence, Size, Split};
use crate::error::Result;
use crate::rng::{Purpose, Rng, stream};
pub use sprite::SHAPES;
use sprite::{Sprite, direction};
use texture::Texture;

/// The name of the data set.
pub const NAME: &str = "moving-shapes";
/// Default side of a frame in pixels; speeds and sizes scale with it.
pub const SIDE: usize = 48;
/// Frames of a clip.
pub const FRAMES: usize = 8;
/// Clips to learn from.
pub const TRAIN_CLIPS: usize = 480;
/// Clips to test on, of scenes that are not among those to learn from.
pub const TEST_CLIPS: usize = 80;
/// Seed of the data set, the same on every machine.
const SEED: u64 = 2017;
/// Standard deviation of the pixel noise.
const NOISE: f32 = 0.015;

/// The data set with the clips of `make`, which is given their number and calls [`clip`] for each, one after the other or in
/// parallel.
///
/// # Errors
/// Never, as long as `make` gives back what [`clip`] gave, in order.
pub fn dataset(side: usize, make: impl Fn(usize) -> Vec<Clip>) -> Result<Dataset> {
    let mut train = make(TRAIN_CLIPS + TEST_CLIPS);
    let test = train.split_off(TRAIN_CLIPS.min(train.len()));
    let classes = SHAPES.iter().map(ToString::to_string).collect();
    Ok(Dataset { name: NAME.into(), classes, train: split(side, train)?, validation: None, test: split(side, test)? })
}

/// The data set before any of its clips is made.
///
/// # Errors
/// Never: there are as many frames as images.
pub fn hollow(side: usize) -> Result<Dataset> {
    let size = Size { channels: 3, height: side, width: side };
    let split =
        |clips: usize| Split::expecting(size, clips * FRAMES).in_sequence(Sequence::of_clips(&vec![FRAMES; clips]));
    let classes = SHAPES.iter().map(ToString::to_string).collect();
    Ok(Dataset { name: NAME.into(), classes, train: split(TRAIN_CLIPS)?, validation: None, test: split(TEST_CLIPS)? })
}

fn split(side: usize, clips: Vec<Clip>) -> Result<Split> {
    let size = Size { channels: 3, height: side, width: side };
    let sequence = Sequence::of_clips(&vec![FRAMES; clips.len()]);
    let labels = clips.iter().flat_map(|clip| [clip.class; FRAMES]).collect();
    let pixels = clips.into_iter().flat_map(|clip| clip.pixels).collect();
    Split::new(size, pixels, labels)?.in_sequence(sequence)
}

/// Frames of one scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    class: u16,
    /// All frames one after the other, channels in planes.
    pixels: Vec<u8>,
}

impl Clip {
    /// The frames one after the other, channels in planes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The class of each frame.
    pub fn labels(&self) -> [u16; FRAMES] {
        [self.class; FRAMES]
    }
}

/// Clip `number` with frames of `side` pixels a side.
pub fn clip(number: usize, side: usize) -> Clip {
    let mut rng = stream(SEED, Purpose::Data, number as u64);
    let scene = Scene::draw(side, &mut rng);
    let pixels = (0..FRAMES).flat_map(|frame| scene.frame(frame, side, &mut rng)).collect();
    Clip { class: scene.class, pixels }
}

/// Coverage of each pixel of a frame by the shapes, row by row: the ground truth, used by tests only.
#[cfg(test)]
pub fn covered(number: usize, side: usize, frame: usize) -> Vec<f32> {
    let scene = Scene::draw(side, &mut stream(SEED, Purpose::Data, number as u64));
    let sprites: Vec<_> = scene.sprites.iter().map(|sprite| sprite.at(Scene::time(frame))).collect();
    let share = |place: usize| {
        let shares = sprites.iter().map(|sprite| sprite.look(place % side, place / side).0);
        shares.fold(0.0, f32::max)
    };
    (0..side * side).map(share).collect()
}

/// A scene: background, shapes and camera.
struct Scene {
    class: u16,
    background: Texture,
    /// Velocity of the background in pixels per frame, to the right and down.
    pan: [f32; 2],
    /// Relative growth per frame.
    zoom: f32,
    sprites: Vec<Sprite>,
}

impl Scene {
    /// One large shape or two smaller ones of the same kind.
    fn draw(side: usize, rng: &mut Rng) -> Self {
        let scale = side as f32 / SIDE as f32;
        let within = |low: f32, high: f32, rng: &mut Rng| low + (high - low) * rng.random::<f32>();
        let class = rng.random_range(0..SHAPES.len());
        let background = Texture::draw(within(6.0, 9.0, rng) * scale, rng);
        let speed = within(0.0, 1.5, rng) * scale;
        let pan = direction(rng).map(|x| x * speed);
        let zoom = within(-0.004, 0.004, rng);
        let aside = direction(rng);
        let places: &[f32] = if rng.random_bool(0.5) { &[0.0] } else { &[-0.23, 0.23] };
        let radii = if places.len() == 1 { [11.0, 15.0] } else { [8.5, 11.0] };
        let mut sprites = Vec::new();
        for place in places {
            let middle = aside.map(|x| (0.5 + x * place + within(-0.08, 0.08, rng)) * side as f32);
            let own = within(1.0, 2.4, rng) * scale;
            let velocity = direction(rng).map(|x| x * own);
            let velocity = [pan[0] + velocity[0], pan[1] + velocity[1]];
            sprites.push(Sprite::draw(class, within(radii[0], radii[1], rng) * scale, middle, velocity, rng));
        }
        Self { class: class as u16, background, pan, zoom, sprites }
    }

    /// Time of a frame, counted from the middle of the clip, where everything stands as it was drawn.
    fn time(frame: usize) -> f32 {
        frame as f32 - (FRAMES - 1) as f32 / 2.0
    }

    /// One frame.
    fn frame(&self, number: usize, side: usize, rng: &mut Rng) -> Vec<u8> {
        let time = Self::time(number);
        let sprites: Vec<_> = self.sprites.iter().map(|sprite| sprite.at(time)).collect();
        let centre = side as f32 / 2.0;
        let plane = side * side;
        let mut pixels = vec![0; 3 * plane];
        for place in 0..plane {
            let (column, row) = (place % side, place / side);
            let seen = [column, row].map(|x| (x as f32 + 0.5 - centre) * (1.0 - self.zoom * time));
            let mut colour = self.background.at([seen[0] - self.pan[0] * time, seen[1] - self.pan[1] * time]);
            for sprite in &sprites {
                let (covered, own) = sprite.look(column, row);
                colour = std::array::from_fn(|channel| colour[channel] + covered * (own[channel] - colour[channel]));
            }
            for (channel, value) in colour.into_iter().enumerate() {
                pixels[channel * plane + place] = (255.0 * (value + noise(rng))).round().clamp(0.0, 255.0) as u8;
            }
        }
        pixels
    }
}

/// A sum of three uniform draws, which is close to a normal one.
fn noise(rng: &mut Rng) -> f32 {
    let sum: f32 = (0..3).map(|_| rng.random::<f32>()).sum();
    2.0 * NOISE * (sum - 1.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_the_same_every_time_and_differ_from_each_other() {
        let first = clip(3, 24);
        assert_eq!(first, clip(3, 24));
        assert_ne!(first.pixels, clip(4, 24).pixels);
        assert_eq!(first.pixels.len(), FRAMES * 3 * 24 * 24);
        let classes: std::collections::BTreeSet<_> = (0..60).map(|number| clip(number, 8).class).collect();
        assert_eq!(classes.len(), SHAPES.len());
    }

    #[test]
    fn frames_follow_within_clips_and_splits_share_none() {
        let data = dataset(16, |count| (0..count).map(|number| clip(number, 16)).collect()).expect("a data set");
        assert_eq!([data.train.len(), data.test.len()], [FRAMES * TRAIN_CLIPS, FRAMES * TEST_CLIPS]);
        data.train.check_labels(data.classes.len()).expect("classes with names");
        let sequence = data.train.sequence().expect("clips");
        for index in 0..data.train.len() {
            let partner = sequence.partner(index);
            assert_eq!((index / FRAMES, index.abs_diff(partner)), (partner / FRAMES, 1));
            assert_eq!(data.train.labels()[index], data.train.labels()[partner]);
        }
        assert_eq!(data.test.image(0), &clip(TRAIN_CLIPS, 16).pixels[..3 * 256]);

        // one clip at a time gives the same
        let mut again = hollow(16).expect("a data set");
        assert_eq!(again.train, data.train.hollow());
        for number in 0..TRAIN_CLIPS + TEST_CLIPS {
            let (clip, split) =
                (clip(number, 16), if number < TRAIN_CLIPS { &mut again.train } else { &mut again.test });
            split.push_images(clip.pixels()).expect("whole frames");
            split.push_labels(&clip.labels()).expect("a class a frame");
        }
        assert_eq!(again, data);
    }

    #[test]
    fn the_next_frame_differs_less_than_the_last_one() {
        let off =
            |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(&a, &b)| f32::from(a.abs_diff(b))).sum::<f32>() / a.len() as f32;
        for number in 0..8 {
            let clip = clip(number, SIDE);
            let frames: Vec<&[u8]> = clip.pixels.chunks(3 * SIDE * SIDE).collect();
            let (near, far) = (off(frames[0], frames[1]), off(frames[0], frames[FRAMES - 1]));
            assert!(near > 3.0 && near < far, "clip {number}: {near} to the next, {far} to the last");
        }
    }
}
