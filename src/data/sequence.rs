//! The order of frames in clips: the successor of each frame.

/// The name of the data set of the user's own clips.
pub const CLIPS: &str = "clips";

/// The order of the images of a split, if they are frames of clips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// For each frame the index of the one it is compared with.
    partners: Vec<u32>,
}

impl Sequence {
    /// Clips of the given lengths, one after the other. A frame is compared with the next one; the last of a clip, which has no
    /// next, with the one before; and the only one with itself, which shows no movement.
    pub fn of_clips(lengths: &[usize]) -> Self {
        let (mut partners, mut start) = (Vec::new(), 0);
        for &length in lengths {
            let partner = |at: usize| if at + 1 < length { at + 1 } else { at.saturating_sub(1) };
            partners.extend((0..length).map(|at| (start + partner(at)) as u32));
            start += length;
        }
        Self { partners }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.partners.len()
    }

    /// True if there is no frame.
    pub fn is_empty(&self) -> bool {
        self.partners.is_empty()
    }

    /// The frame that this one is compared with.
    pub fn partner(&self, index: usize) -> usize {
        self.partners[index] as usize
    }

    /// The first frame of the clip that this one belongs to.
    pub fn start(&self, index: usize) -> usize {
        // within a clip each frame but the last is compared with its successor
        (0..index).rev().find(|&before| self.partner(before) <= before).map_or(0, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_compared_within_their_clip() {
        let sequence = Sequence::of_clips(&[3, 1, 0, 2]);
        let partners: Vec<usize> = (0..sequence.len()).map(|index| sequence.partner(index)).collect();
        assert_eq!(partners, [1, 2, 1, 3, 5, 4]);
        let starts: Vec<usize> = (0..sequence.len()).map(|index| sequence.start(index)).collect();
        assert_eq!(starts, [0, 0, 0, 3, 4, 4]);
    }
}
