//! Sprites: moving flat shapes with a texture of their own.

use rand::RngExt;

use super::texture::Texture;
use crate::rng::Rng;

/// The shapes, which are the classes.
pub const SHAPES: [&str; 8] = ["disc", "square", "triangle", "cross", "ring", "bar", "diamond", "half moon"];
/// Samples per pixel and axis for antialiasing.
const SAMPLES: usize = 2;

/// A shape in uniform motion.
#[derive(Clone, Debug)]
pub(super) struct Sprite {
    /// Index into [`SHAPES`].
    shape: usize,
    /// Radius in pixels.
    radius: f32,
    /// Centre at time 0, in pixels of the frame.
    middle: [f32; 2],
    /// Velocity in pixels per frame, to the right and down.
    velocity: [f32; 2],
    /// Orientation at time 0: the unit vector of its own x axis.
    heading: [f32; 2],
    /// Rotation per frame, as the unit vector that (1, 0) becomes.
    turn: [f32; 2],
    texture: Texture,
}

impl Sprite {
    pub(super) fn draw(shape: usize, radius: f32, middle: [f32; 2], velocity: [f32; 2], rng: &mut Rng) -> Self {
        // up to about three degrees
        let turn = unit([1.0, 0.1 * (rng.random::<f32>() - 0.5)]);
        let texture = Texture::draw(radius * 0.45, rng);
        Self { shape, radius, middle, velocity, heading: direction(rng), turn, texture }
    }

    /// The sprite at another time, in frames.
    pub(super) fn at(&self, time: f32) -> Placed<'_> {
        let mut heading = self.heading;
        // by halves of a turn from frame to frame: times may lie between frames
        let steps = (2.0 * time.abs()) as usize;
        let turn = if time < 0.0 { [self.turn[0], -self.turn[1]] } else { self.turn };
        let half = unit([1.0 + turn[0], turn[1]]);
        (0..steps).for_each(|_| heading = unit(rotated(heading, half)));
        let middle = [0, 1].map(|axis| self.middle[axis] + time * self.velocity[axis]);
        Placed { sprite: self, middle, heading }
    }
}

/// A sprite in one frame.
pub(super) struct Placed<'a> {
    sprite: &'a Sprite,
    middle: [f32; 2],
    heading: [f32; 2],
}

impl Placed<'_> {
    /// Coverage of a pixel (column and row) by the shape, in 0 to 1, and the colour there, meaningless at coverage 0.
    pub(super) fn look(&self, column: usize, row: usize) -> (f32, [f32; 3]) {
        let middle = [column as f32 + 0.5, row as f32 + 0.5];
        let [x, y] = [middle[0] - self.middle[0], middle[1] - self.middle[1]];
        let reach = REACH * self.sprite.radius + 1.0;
        if x * x + y * y > reach * reach {
            return (0.0, [0.0; 3]);
        }
        let inside = |place: usize| {
            let part = |index: usize| (index as f32 + 0.5) / SAMPLES as f32;
            let place = [column as f32 + part(place % SAMPLES), row as f32 + part(place / SAMPLES)];
            let [x, y] = self.own(place).map(|x| x / self.sprite.radius);
            f32::from(u8::from(is_inside(self.sprite.shape, x, y)))
        };
        let covered = (0..SAMPLES * SAMPLES).map(inside).sum::<f32>() / (SAMPLES * SAMPLES) as f32;
        let colour = if covered > 0.0 { self.sprite.texture.at(self.own(middle)) } else { [0.0; 3] };
        (covered, colour)
    }

    /// A position of the frame in the sprite's own axes.
    fn own(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        rotated([x - self.middle[0], y - self.middle[1]], [self.heading[0], -self.heading[1]])
    }
}

/// Extent of the widest shape, in radii.
const REACH: f32 = 1.5;

/// True if a position lies within a shape of radius 1.
fn is_inside(shape: usize, x: f32, y: f32) -> bool {
    let across = x.abs();
    let down = y.abs();
    let square = x * x + y * y;
    match shape {
        0 => square < 1.0,
        1 => across.max(down) < 0.85,
        2 => y < 0.85 && y > 1.7 * across - 1.1,
        3 => across.max(down) < 1.0 && across.min(down) < 0.36,
        4 => square < 1.1 && square > 0.3,
        5 => across < 1.2 && down < 0.45,
        6 => across + down < 1.15,
        _ => square < 1.3 && y > -0.1,
    }
}

/// A uniformly distributed direction.
pub(super) fn direction(rng: &mut Rng) -> [f32; 2] {
    loop {
        let [x, y] = [0; 2].map(|_| 2.0 * rng.random::<f32>() - 1.0);
        if (0.05..1.0).contains(&(x * x + y * y)) {
            return unit([x, y]);
        }
    }
}

fn unit([x, y]: [f32; 2]) -> [f32; 2] {
    let length = (x * x + y * y).sqrt();
    [x / length, y / length]
}

/// A vector rotated by the angle of the unit vector `by`.
fn rotated([x, y]: [f32; 2], by: [f32; 2]) -> [f32; 2] {
    [x * by[0] - y * by[1], x * by[1] + y * by[0]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn shapes_differ_and_cover_a_good_part_of_their_square() {
        let places = |shape: usize| {
            let inside = |at: usize| is_inside(shape, (at % 60) as f32 / 20.0 - 1.475, (at / 60) as f32 / 20.0 - 1.475);
            (0..3600).filter(|&at| inside(at)).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..SHAPES.len()).map(places).collect();
        let far = |at: &usize| ((at % 60) as f32 / 20.0 - 1.475).hypot((at / 60) as f32 / 20.0 - 1.475) > REACH;
        assert!(!all.iter().flatten().any(far), "what is beyond the reach is not looked at");
        for (index, one) in all.iter().enumerate() {
            // of 1600 pixels of the square from -1 to 1
            assert!((750..1400).contains(&one.len()), "{}: {}", SHAPES[index], one.len());
            for other in &all[..index] {
                let common = one.iter().filter(|place| other.contains(place)).count();
                let union = one.len() + other.len() - common;
                assert!((common as f32) < 0.93 * union as f32, "{} looks like an earlier one", SHAPES[index]);
            }
        }
    }

    #[test]
    fn it_moves_and_turns_as_it_is_told() {
        let mut rng = stream(1, Purpose::Data, 0);
        let sprite = Sprite::draw(5, 9.0, [20.0, 24.0], [1.5, -0.5], &mut rng);
        let (before, after) = (sprite.at(-0.5), sprite.at(1.5));
        let moved = [0, 1].map(|axis| after.middle[axis] - before.middle[axis]);
        assert!((moved[0] - 3.0).abs() < 1e-5 && (moved[1] + 1.0).abs() < 1e-5);
        let twice = rotated(rotated(before.heading, sprite.turn), sprite.turn);
        assert!((twice[0] - after.heading[0]).abs() < 1e-5 && (twice[1] - after.heading[1]).abs() < 1e-5);
        // the point that was under a place of the sprite is seen with the same colour where it has gone
        let (covered, colour) = before.look(19, 24);
        assert_eq!(covered, 1.0);
        let own = before.own([19.5, 24.5]);
        assert_eq!(colour, sprite.texture.at(own));
        assert_eq!(before.look(2, 2).0, 0.0);
    }
}
