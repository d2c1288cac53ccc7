//! Random changes to known inputs, the same for the same seed: no coverage guides them, but any
//! toolchain runs them.

/// What `cargo xtask fuzz` gives to libFuzzer as well.
const DICTIONARY: &str = include_str!("../resp.dict");

/// The longest input made.
const LONGEST: usize = 4096;

/// Makes inputs out of others.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// What it makes depends on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, words: DICTIONARY.lines().filter_map(word).collect() }
    }

    /// One of `inputs`, changed in a few places. There must be one.
    pub fn mutate<T: AsRef<[u8]>>(&mut self, inputs: &[T]) -> Vec<u8> {
        let mut bytes = self.pick(inputs).as_ref().to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change<T: AsRef<[u8]>>(&mut self, bytes: &mut Vec<u8>, inputs: &[T]) {
        let at = self.below(bytes.len() + 1);
        let end = at + self.below((bytes.len() - at).min(40) + 1);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.next() as u8,
            2 => bytes.insert(at, self.next() as u8),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => {
                let copy = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            6 => {
                let other = self.pick(inputs).as_ref();
                let from = self.below(other.len() + 1);
                let to = from + self.below((other.len() - from).min(200) + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            7 => {
                let shift = self.below(64);
                let number = (self.next() >> shift).wrapping_add(self.below(3) as u64);
                let sign = if self.below(8) == 0 { "-" } else { "" };
                bytes.splice(at..at, format!("{sign}{number}").into_bytes());
            }
            _ => {
                let words = std::mem::take(&mut self.words);
                let word = self.pick(&words).iter().copied();
                match self.below(2) {
                    0 => drop(bytes.splice(at..at, word)),
                    _ => drop(bytes.splice(at..end, word)),
                }
                self.words = words;
            }
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// A line of the dictionary, its quotes and escapes taken away.
fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let [first, tail @ ..] = rest {
        (rest, _) = match (first, tail) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                (tail, word.push((digit(high)? << 4 | digit(low)?) as u8))
            }
            (b'\\', [byte, tail @ ..]) => (tail, word.push(*byte)),
            _ => (tail, word.push(*first)),
        };
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_is_understood() {
        let lines = DICTIONARY.lines().filter(|line| line.starts_with('"')).count();
        let words = Mutator::new(0).words;
        assert_eq!(words.len(), lines);
        assert!(words.contains(&b"$-1\r\n".to_vec()) && words.contains(&b"\"\\x41\\n\"".to_vec()));
    }

    #[test]
    fn same_seed_makes_the_same_inputs() {
        let make = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..20).map(|_| mutator.mutate(&[b"+OK\r\n"])).collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }
}
