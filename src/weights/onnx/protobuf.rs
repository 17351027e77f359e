//! The part of the Protocol Buffers encoding that a model needs.

/// Wire types.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// A message under construction: fields by number, in the order of their addition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn int(&mut self, field: u64, value: i64) {
        self.varint(field << 3 | VARINT);
        // a negative number is written as its 64-bit pattern, in ten bytes
        self.varint(value as u64);
    }

    pub(super) fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(super) fn message(&mut self, field: u64, value: &Message) {
        self.bytes(field, &value.0);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A varint: seven bits a byte, the lowest first; the eighth is set where more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_the_specification_shows() {
        let mut inner = Message::default();
        inner.int(1, 150);
        assert_eq!(inner.0, [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.message(3, &inner);
        outer.text(2, "testing");
        assert_eq!(outer.0, [&[0x1a, 3, 0x08, 0x96, 0x01, 0x12, 7][..], b"testing"].concat());
        let mut numbers = Message::default();
        numbers.int(1, -2);
        numbers.float(2, 1.0);
        assert_eq!(numbers.0, [&[0x08, 0xfe][..], &[0xff; 8], &[0x01, 0x15, 0, 0, 0x80, 0x3f]].concat());
    }
}
