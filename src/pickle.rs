//! Pickles read as data. Python calls the functions that a pickle names; here a call is recorded and never made, so that no
//! file can run code.

use std::borrow::Cow;
use std::collections::HashMap;

/// Most opcodes of a pickle, twenty times those of a ResNet-50 with its optimizer.
const MAX_STEPS: usize = 1_000_000;
/// The newest protocol of pickles.
const MAX_PROTOCOL: u8 = 5;

/// An index into [`Pickle::values`].
pub type Id = usize;

/// One value. Containers hold indices, for their elements may be shared.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A value that nothing here is described by: a float, a set, `None`.
    Other,
    /// An integer or a boolean.
    Int(i128),
    /// A string.
    Text(&'a str),
    /// Bytes. Python 2 wrote strings and bytes alike; what is no UTF-8 is taken for bytes.
    Bytes(&'a [u8]),
    /// A class or function by module and name.
    Name(&'a str, &'a str),
    /// A list.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A dictionary.
    Dict(Vec<(Id, Id)>),
    /// The result of a call that was not made.
    Call {
        /// The function.
        function: Id,
        /// A tuple.
        arguments: Id,
        /// Items put into the result as into a dictionary.
        items: Vec<(Id, Id)>,
        /// The state handed to the result.
        state: Option<Id>,
    },
    /// A persistent id: an object outside of the pickle, by its description.
    Outside(Id),
}

/// A pickle after reading.
#[derive(Debug)]
pub struct Pickle<'a> {
    /// All values that it builds.
    pub values: Vec<Value<'a>>,
    /// The object that it stands for.
    pub root: Id,
    /// Its bytes in the file.
    pub length: usize,
}

/// The reason why a pickle is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It makes no sense at this byte: it is cut short, garbled, or does what no description of data needs.
    At(usize),
    /// It takes more steps than any description of data.
    TooLong,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the beginning of `bytes`.
    ///
    /// # Errors
    /// When it is not whole, or has an opcode that no description of data needs.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut machine = Machine { bytes, ..Machine::default() };
        for _ in 0..MAX_STEPS {
            match machine.step() {
                Some(Flow::On) => {}
                Some(Flow::Stop(root)) => return Ok(Self { values: machine.values, root, length: machine.at }),
                None => return Err(Fault::At(machine.at)),
            }
        }
        Err(Fault::TooLong)
    }

    /// The string at `id`; nothing where another value is.
    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.values[id] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer at `id` as a count; nothing where it is negative or another value is.
    pub fn count(&self, id: Id) -> Option<usize> {
        match self.values[id] {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }

    /// The bytes at `id`: as such, as a string of Python 2, or as a string to be encoded in Latin-1, which is what Python 3
    /// writes for Python 2 to read.
    pub fn bytes(&self, id: Id) -> Option<Cow<'a, [u8]>> {
        match &self.values[id] {
            Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            Value::Call { function, arguments, .. } => match (&self.values[*function], self.parts(*arguments)?) {
                (Value::Name("_codecs", "encode"), [text, code]) if self.text(*code)?.starts_with("latin") => {
                    let letters = self.text(*text)?.chars();
                    letters.map(|letter| u8::try_from(letter).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
                }
                (Value::Name("__builtin__" | "builtins", "bytes"), []) => Some(Cow::Borrowed(&[])),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a key of the dictionary at `id`.
    pub fn entry(&self, id: Id, key: &str) -> Option<Id> {
        let Value::Dict(items) = &self.values[id] else { return None };
        let is = |name: Id| self.bytes(name).is_some_and(|name| *name == *key.as_bytes());
        items.iter().find(|(name, _)| is(*name)).map(|(_, value)| *value)
    }

    /// The elements of the tuple or list at `id`.
    pub fn parts(&self, id: Id) -> Option<&[Id]> {
        match &self.values[id] {
            Value::Tuple(parts) | Value::List(parts) => Some(parts),
            _ => None,
        }
    }
}

/// The course of the machine after an opcode.
enum Flow {
    On,
    Stop(Id),
}

/// The stack machine whose programs pickles are. A step returns nothing where the program makes no sense.
#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self) -> Option<Flow> {
        let code = self.byte()?;
        match code {
            b'.' => return Some(Flow::Stop(self.pop()?)),
            0x80 => return (self.byte()? <= MAX_PROTOCOL).then_some(Flow::On),
            0x95 => _ = self.take(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => _ = self.pop()?,
            b'1' => _ = self.marked()?,
            b'2' => self.stack.push(*self.stack.last()?),
            b'h' | b'j' => {
                let place = self.number(if code == b'h' { 1 } else { 4 })?;
                self.stack.push(*self.memo.get(&place)?);
            }
            b'q' | b'r' | 0x94 => {
                let place = match code {
                    b'q' => self.number(1)?,
                    b'r' => self.number(4)?,
                    _ => self.memo.len(),
                };
                self.memo.insert(place, *self.stack.last()?);
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.fill(code)?,
            b'b' => self.build()?,
            b'R' | 0x81 | 0x92 => self.call(code)?,
            _ => {
                let value = self.atom(code)?;
                self.push(value);
            }
        }
        Some(Flow::On)
    }

    /// A value from the program's bytes or from the top of the stack.
    fn atom(&mut self, code: u8) -> Option<Value<'a>> {
        Some(match code {
            b'N' => Value::Other,
            0x88 | 0x89 => Value::Int(i128::from(code == 0x88)),
            b'K' => Value::Int(self.number(1)? as i128),
            b'M' => Value::Int(self.number(2)? as i128),
            b'J' => Value::Int(i128::from(i32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'G' => self.skip(8)?,
            b'X' => self.text(4)?,
            b'U' | 0x8c => self.text(1)?,
            b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            0x8f => Value::Other,
            b't' => Value::Tuple(self.marked()?),
            b'l' => Value::List(self.marked()?),
            b'd' => Value::Dict(pairs(&self.marked()?)?),
            0x91 => {
                self.marked()?;
                Value::Other
            }
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(code - 0x84))?;
                Value::Tuple(self.cut(from)?)
            }
            b'c' => Value::Name(self.line()?, self.line()?),
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => Value::Name(module, name),
                    _ => return None,
                }
            }
            b'Q' => Value::Outside(self.pop()?),
            _ => return None,
        })
    }

    /// Moves values from the stack into the container below them.
    fn fill(&mut self, code: u8) -> Option<()> {
        let parts = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.marked()?,
        };
        match self.values.get_mut(*self.stack.last()?)? {
            Value::List(list) if matches!(code, b'a' | b'e') => list.extend(parts),
            Value::Dict(items) | Value::Call { items, .. } if matches!(code, b's' | b'u') => {
                items.extend(pairs(&parts)?);
            }
            // sets, and objects that act as lists
            Value::Other | Value::Call { .. } => {}
            _ => return None,
        }
        Some(())
    }

    fn call(&mut self, code: u8) -> Option<()> {
        if code == 0x92 {
            self.pop()?; // arguments by name
        }
        let arguments = self.pop()?;
        let function = self.pop()?;
        self.push(Value::Call { function, arguments, items: Vec::new(), state: None });
        Some(())
    }

    /// Hands a state to the object below it on the stack.
    fn build(&mut self) -> Option<()> {
        let given = self.pop()?;
        if let Value::Call { state, .. } = self.values.get_mut(*self.stack.last()?)? {
            *state = Some(given);
        }
        Some(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
    }

    /// The top of the stack; nothing at a mark.
    fn pop(&mut self) -> Option<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop() } else { None }
    }

    /// All values above the last mark.
    fn marked(&mut self) -> Option<Vec<Id>> {
        let from = self.marks.pop()?;
        self.cut(from)
    }

    fn cut(&mut self, from: usize) -> Option<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        (floor <= from && from <= self.stack.len()).then(|| self.stack.split_off(from))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// An unsigned little-endian integer.
    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        usize::try_from(bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte))).ok()
    }

    /// A signed integer of any length, after its length.
    fn long(&mut self, width: usize) -> Option<Value<'a>> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        if length > 16 {
            return Some(Value::Other);
        }
        let mut filled = [if negative { 0xff } else { 0 }; 16];
        filled[..length].copy_from_slice(bytes);
        Some(Value::Int(i128::from_le_bytes(filled)))
    }

    fn text(&mut self, width: usize) -> Option<Value<'a>> {
        let length = self.number(width)?;
        self.take(length).map(|bytes| std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text))
    }

    fn bytes(&mut self, width: usize) -> Option<Value<'a>> {
        let length = self.number(width)?;
        self.take(length).map(Value::Bytes)
    }

    fn skip(&mut self, length: usize) -> Option<Value<'a>> {
        self.take(length).map(|_| Value::Other)
    }

    fn line(&mut self) -> Option<&'a str> {
        let length = self.bytes.get(self.at..)?.iter().position(|&byte| byte == b'\n')?;
        let line = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(line).ok()
    }
}

fn pairs(parts: &[Id]) -> Option<Vec<(Id, Id)>> {
    parts.len().is_multiple_of(2).then(|| parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_python_wrote() {
        // pickle.dumps(OrderedDict([('a', (1, -2, True))]), protocol=2)
        let bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00aq\x02K\x01J\xfe\xff\xff\xff\x88\x87q\x03s.rest";
        let pickle = Pickle::read(bytes).expect("a pickle");
        assert_eq!(pickle.length, bytes.len() - 4);
        let Value::Call { function, items, .. } = &pickle.values[pickle.root] else { panic!("{pickle:?}") };
        assert_eq!(pickle.values[*function], Value::Name("collections", "OrderedDict"));
        assert_eq!(pickle.text(items[0].0), Some("a"));
        let parts = pickle.parts(items[0].1).expect("a tuple");
        assert_eq!(pickle.count(parts[0]), Some(1));
        assert_eq!(pickle.values[parts[1]], Value::Int(-2));
        assert_eq!(pickle.count(parts[1]), None, "nothing is counted by -2");
    }

    #[test]
    fn long_numbers_keep_their_sign() {
        for (bytes, value) in [
            (&b"\x80\x02\x8a\x00."[..], 0),
            (b"\x80\x02\x8a\x01\xff.", -1),
            (b"\x80\x02\x8a\x02\xff\x00.", 255),
            (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", 0x1950_a86a_20f9_469c_fc6c),
        ] {
            let pickle = Pickle::read(bytes).expect("a pickle");
            assert_eq!(pickle.values[pickle.root], Value::Int(value));
        }
    }

    #[test]
    fn a_call_is_recorded_and_not_made() {
        // in Python this runs a shell
        let bytes = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.";
        let pickle = Pickle::read(bytes).expect("a pickle");
        let Value::Call { function, .. } = &pickle.values[pickle.root] else { panic!("{pickle:?}") };
        assert_eq!(pickle.values[*function], Value::Name("posix", "system"));
    }

    #[test]
    fn programs_that_make_no_sense_are_refused() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\x80\x06N.",
            b".",
            b"0.",
            b"h\x00.",
            b"(0.",
            b"K\x01(K\x02\x86.",
            b"K\x01K\x02a.",
            b"}K\x01(K\x02u.",
            b"X\xff\xff\xff\xffa.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
            b"\x82\x01.",
            b"cposix\nsystem",
            b"t.",
        ] {
            assert!(Pickle::read(bytes).is_err(), "{bytes:?}");
        }
        let endless = [b"(1".repeat(MAX_STEPS), b"N.".to_vec()].concat();
        assert_eq!(Pickle::read(&endless).expect_err("too long"), Fault::TooLong);
    }

    #[test]
    fn bytes_are_read_however_python_wrote_them() {
        let whole = |pickle: &[u8]| {
            let pickle = Pickle::read(pickle).expect("a pickle");
            pickle.bytes(pickle.root).map(Cow::into_owned)
        };
        // Python 2, Python 3 for itself, and Python 3 for Python 2: pickle.dumps(b"\x80a", protocol=2)
        assert_eq!(whole(b"\x80\x02U\x02\x80a."), Some(b"\x80a".to_vec()));
        assert_eq!(whole(b"\x80\x03C\x02\x80a."), Some(b"\x80a".to_vec()));
        let encoded = b"\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00\xc2\x80aX\x06\x00\x00\x00latin1\x86R.";
        assert_eq!(whole(encoded), Some(b"\x80a".to_vec()));
        assert_eq!(whole(b"\x80\x02K\x01."), None);
        // {b"labels": 7}
        let items = Pickle::read(b"\x80\x03}C\x06labelsK\x07s.").expect("a pickle");
        let value = items.entry(items.root, "labels").expect("it is there");
        assert_eq!((items.count(value), items.entry(items.root, "data")), (Some(7), None));
    }

    #[test]
    fn a_state_is_kept_beside_what_it_is_for() {
        let pickle = Pickle::read(b"\x80\x02cm\nn\n)RK\x05b.").expect("a pickle");
        let Value::Call { state: Some(state), .. } = pickle.values[pickle.root] else { panic!("{pickle:?}") };
        assert_eq!(pickle.count(state), Some(5));
    }
}
