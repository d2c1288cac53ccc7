//! The bytes that are parsed and written, and what is known of them, made without any codec.

/// What keys are in requests.
pub const KEY: [u8; 16] = [b'k'; 16];

/// What values are in requests.
pub const VALUE: [u8; 64] = [b'v'; 64];

/// What number is in requests.
pub const NUMBER: i64 = 123_456;

/// A stream of frames, or the request that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// 3,000,000 bulk strings of 5 bytes.
    Bulks,
    /// The integers below 3,000,000.
    Integers,
    /// 1,000,000 integers of one digit.
    Digit,
    /// 1,000,000 integers of four digits.
    FourDigits,
    /// 1,000,000 times `+OK`.
    Ok,
    /// OK, a bulk string, an integer and a null, 250,000 times.
    Mixed,
    /// An array of 100,000 bulk strings of 32 bytes.
    Array,
    /// 1,000 bulk strings of 1 KiB.
    Kibs,
    /// 100,000 RESP3 maps of three maps of three pairs.
    Maps,
    /// 100,000 arrays of two names, each with a double.
    Scores,
    /// An array of 1,000 bulk strings of different lengths.
    Thousand,
    /// SET with [`KEY`] and [`VALUE`].
    Set,
    /// INCRBY with [`KEY`] and [`NUMBER`].
    Incrby,
}

/// The bytes of a workload, and what a pass over them has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many frames.
    pub frames: usize,
    /// How many values, the aggregates among them.
    pub values: usize,
    /// How many values that are no aggregates.
    pub leaves: usize,
    /// The sum of what a walk touches: the length of strings, the value of integers, the elements of
    /// arrays, the pairs of maps, and 1 for everything else.
    pub sum: usize,
}

impl Workload {
    /// What the file is called.
    pub fn file(self) -> String {
        format!("{self:?}.resp").to_lowercase()
    }

    /// Its bytes, and what is in them.
    pub fn stream(self) -> Stream {
        let mut stream = Stream::default();
        match self {
            Self::Bulks => {
                stream.bulk(b"hello");
                stream.repeat(3_000_000);
            }
            Self::Integers => (0..3_000_000).for_each(|number| stream.integer(number)),
            Self::Digit => {
                stream.integer(1);
                stream.repeat(1_000_000);
            }
            Self::FourDigits => {
                stream.integer(1234);
                stream.repeat(1_000_000);
            }
            Self::Ok => {
                stream.leaf(b"+OK", 2);
                stream.repeat(1_000_000);
            }
            Self::Mixed => {
                stream.leaf(b"+OK", 2);
                stream.bulk(b"hello");
                stream.integer(12_345);
                stream.leaf(b"$-1", 1);
                stream.repeat(250_000);
            }
            Self::Array => {
                stream.array(100_000);
                (0..100_000).for_each(|_| stream.bulk(&[b'x'; 32]));
                stream.frames = 1;
            }
            Self::Kibs => {
                stream.bulk(&[b'x'; 1024]);
                stream.repeat(1_000);
            }
            Self::Maps => {
                stream.map(3);
                for name in [b"a", b"b", b"c"] {
                    stream.bulk(name);
                    stream.map(3);
                    stream.bulk(b"id");
                    stream.integer(1234);
                    stream.bulk(b"name");
                    stream.bulk(b"value");
                    stream.bulk(b"ok");
                    stream.leaf(b"#t", 1);
                }
                stream.frames = 1;
                stream.repeat(100_000);
            }
            Self::Scores => {
                stream.array(4);
                stream.bulk(b"a");
                stream.leaf(b",1.5", 1);
                stream.bulk(b"b");
                stream.leaf(b",1234.5678", 1);
                stream.frames = 1;
                stream.repeat(100_000);
            }
            Self::Thousand => {
                stream.array(1_000);
                (0..1_000).for_each(|i| stream.bulk(format!("element:{}", i * i).as_bytes()));
                stream.frames = 1;
            }
            Self::Set => stream.request(&[b"SET", &KEY, &VALUE]),
            Self::Incrby => stream.request(&[b"INCRBY", &KEY, NUMBER.to_string().as_bytes()]),
        }
        stream
    }
}

impl Stream {
    fn bulk(&mut self, body: &[u8]) {
        self.bytes.extend(format!("${}\r\n", body.len()).bytes());
        self.leaf(body, body.len());
    }

    fn integer(&mut self, number: usize) {
        self.leaf(format!(":{number}").as_bytes(), number);
    }

    fn leaf(&mut self, text: &[u8], sum: usize) {
        self.value(text, sum);
        self.leaves += 1;
    }

    fn array(&mut self, elements: usize) {
        self.value(format!("*{elements}").as_bytes(), elements);
    }

    fn map(&mut self, pairs: usize) {
        self.value(format!("%{pairs}").as_bytes(), pairs);
    }

    fn request(&mut self, args: &[&[u8]]) {
        self.array(args.len());
        args.iter().for_each(|arg| self.bulk(arg));
        self.frames = 1;
    }

    /// A value is a frame of its own, unless the workload says how many there are.
    fn value(&mut self, text: &[u8], sum: usize) {
        self.bytes.extend(text);
        self.bytes.extend(b"\r\n");
        self.frames += 1;
        self.values += 1;
        self.sum += sum;
    }

    fn repeat(&mut self, times: usize) {
        self.bytes = self.bytes.repeat(times);
        for count in [&mut self.frames, &mut self.values, &mut self.leaves, &mut self.sum] {
            *count *= times;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_know_what_they_hold() {
        let Stream { bytes, frames, values, leaves, sum } = Workload::Mixed.stream();
        assert!(bytes.starts_with(b"+OK\r\n$5\r\nhello\r\n:12345\r\n$-1\r\n+OK\r\n"));
        let each = (2 + 5 + 12_345 + 1) * 250_000;
        assert_eq!((frames, values, leaves, sum), (1_000_000, 1_000_000, 1_000_000, each));

        let Stream { bytes, frames, values, leaves, .. } = Workload::Maps.stream();
        assert!(bytes.starts_with(b"%3\r\n$1\r\na\r\n%3\r\n$2\r\nid\r\n:1234\r\n"));
        assert_eq!((frames, values, leaves), (100_000, 2_500_000, 2_100_000));
    }

    #[test]
    fn request_is_resp() {
        let bytes = Workload::Incrby.stream().bytes;
        assert_eq!(bytes, b"*3\r\n$6\r\nINCRBY\r\n$16\r\nkkkkkkkkkkkkkkkk\r\n$6\r\n123456\r\n");
    }
}
