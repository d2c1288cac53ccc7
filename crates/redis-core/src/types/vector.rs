//! Vectors and the sets of them that Redis has since 8.0.

use std::collections::BTreeMap;

use bytes::Bytes;
use redis_derive::FromReply;
use resp_proto::Token;

use super::text::Refused;
use crate::command::{Args, One, ToArg, ToArgs};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

/// A vector as an argument. `f32`s are sent as bytes, `f64`s as text; the server keeps `f32`s or less.
///
/// # Examples
///
/// ```
/// use redis_core::types::Vector;
/// use redis_core::{Command, cmd};
///
/// let add = cmd::vadd("set", [1.0_f32, 0.5], "element").into_cmd();
/// assert_eq!(add.words().nth(2), Some(&b"FP32"[..]));
/// let exact = Vector::from(vec![0.1_f64, 0.2]);
/// assert_eq!(cmd::vadd("set", exact, "element").into_cmd().words().nth(2), Some(&b"VALUES"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Vector(Args);

const EMPTY: Refused = Refused("a vector needs at least one number");

impl Vector {
    /// A vector whose numbers are sent as text.
    pub fn values(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut values = Args::default();
        numbers.into_iter().for_each(|number| values.push(number));
        let mut args = Args::default();
        args.push("VALUES");
        args.push(values.len());
        if values.is_empty() {
            args.push(EMPTY);
        }
        args.append(values);
        Self(args)
    }

    /// A vector whose numbers are sent as bytes.
    pub fn fp32(numbers: impl IntoIterator<Item = f32>) -> Self {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
        let mut args = Args::default();
        args.push("FP32");
        if bytes.is_empty() {
            args.push(EMPTY);
        } else {
            args.push(bytes);
        }
        Self(args)
    }
}

impl From<&[f32]> for Vector {
    fn from(numbers: &[f32]) -> Self {
        Self::fp32(numbers.iter().copied())
    }
}

impl<const N: usize> From<[f32; N]> for Vector {
    fn from(numbers: [f32; N]) -> Self {
        Self::fp32(numbers)
    }
}

impl From<Vec<f32>> for Vector {
    fn from(numbers: Vec<f32>) -> Self {
        Self::fp32(numbers)
    }
}

impl From<&[f64]> for Vector {
    fn from(numbers: &[f64]) -> Self {
        Self::values(numbers.iter().copied())
    }
}

impl<const N: usize> From<[f64; N]> for Vector {
    fn from(numbers: [f64; N]) -> Self {
        Self::values(numbers)
    }
}

impl From<Vec<f64>> for Vector {
    fn from(numbers: Vec<f64>) -> Self {
        Self::values(numbers)
    }
}

/// `VALUES n number [number ..]`, or `FP32 bytes`.
impl ToArgs<One> for Vector {
    fn to_args(self, args: &mut Args) {
        args.append(self.0);
    }
}

/// What `VSIM` looks for: what is like an element of the set, or like a vector.
#[derive(Clone, Debug)]
pub struct VectorQuery(Args);

impl VectorQuery {
    /// What is like this element of the set.
    pub fn element(element: impl ToArg) -> Self {
        let mut args = Args::default();
        args.push("ELE");
        args.push(element);
        Self(args)
    }
}

/// What is like this vector.
impl<V: Into<Vector>> From<V> for VectorQuery {
    fn from(vector: V) -> Self {
        Self(vector.into().0)
    }
}

/// `ELE element`, or the vector.
impl ToArgs<One> for VectorQuery {
    fn to_args(self, args: &mut Args) {
        args.append(self.0);
    }
}

/// An element with how like it is and what is noted of it: what `VSIM` replies with both of its options.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredElement<T> {
    /// The element.
    pub element: T,
    /// How like it is: 1 is the same direction, 0 the opposite one.
    pub score: f64,
    /// Its attributes: JSON text, where it has some.
    pub attributes: Option<String>,
}

/// A list of three values; a list of them is also a flat one (RESP2), or a map of elements to pairs (RESP3).
impl<T: FromReply> FromReply for ScoredElement<T> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (element, score, attributes) = FromReply::from_reply(reply)?;
        Ok(Self { element, score, attributes })
    }

    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        let mut list = Vec::new();
        if let Token::Map(_) = reply.peek()? {
            reply.pairs(|reply| {
                let element = T::from_reply(reply)?;
                let (score, attributes) = FromReply::from_reply(reply)?;
                list.push(Self { element, score, attributes });
                Ok(())
            })?;
            return Ok(list);
        }
        let len = reply.list()?;
        let (mut element, mut score) = (None, None);
        reply.each(len, |reply| {
            if element.is_none() {
                element = Some(T::from_reply(reply)?);
            } else if score.is_none() {
                score = Some(f64::from_reply(reply)?);
            } else if let (Some(element), Some(score)) = (element.take(), score.take()) {
                let attributes = FromReply::from_reply(reply)?;
                list.push(Self { element, score, attributes });
            }
            Ok(())
        })?;
        match element {
            None => Ok(list),
            Some(_) => Err(Error::decode("expected three values for each element")),
        }
    }
}

/// The neighbours of an element of a vector set: a list for each layer of the graph, lowest layer last.
pub type VectorLinks<T> = Vec<Vec<T>>;

/// How a set keeps the numbers of its vectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[non_exhaustive]
pub enum Quantization {
    /// As they are: 4 bytes a number.
    #[redis(rename = "f32")]
    None,
    /// As 1 byte a number.
    #[redis(rename = "int8")]
    Int8,
    /// As 1 bit a number.
    #[redis(rename = "bin")]
    Binary,
    /// A word of a newer server.
    #[redis(other)]
    Other(String),
}

/// A vector as its set keeps it: what `VEMB` replies with `RAW`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RawVector {
    /// How its numbers are kept.
    pub quantization: Quantization,
    /// Its numbers, of the vector made 1 long.
    pub bytes: Bytes,
    /// How long it was before.
    pub norm: f64,
    /// The number that the greatest byte stands for; for [`Quantization::Int8`].
    pub range: Option<f64>,
}

impl FromReply for RawVector {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = reply.list()?;
        let (mut quantization, mut bytes, mut norm, mut range) = (None, None, None, None);
        let mut at = 0;
        reply.each(len, |reply| {
            match at {
                0 => quantization = Some(FromReply::from_reply(reply)?),
                1 => bytes = Some(FromReply::from_reply(reply)?),
                2 => norm = Some(FromReply::from_reply(reply)?),
                3 => range = Some(FromReply::from_reply(reply)?),
                _ => drop(reply.skip()?),
            }
            at += 1;
            Ok(())
        })?;
        match (quantization, bytes, norm) {
            (Some(quantization), Some(bytes), Some(norm)) => {
                Ok(Self { quantization, bytes, norm, range })
            }
            _ => Err(Error::decode("expected a quantization, bytes and a norm")),
        }
    }
}

/// A set of vectors as a whole: the reply of `VINFO`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct VectorSetInfo {
    /// How it keeps the vectors' numbers.
    pub quant_type: Quantization,
    /// How many neighbours an element has, at the most, on each layer but the lowest.
    pub hnsw_m: u64,
    /// How many numbers a vector has in the set.
    pub vector_dim: u64,
    /// How many it had before `REDUCE`; 0 where it was not reduced.
    pub projection_input_dim: u64,
    /// How many elements there are.
    pub size: u64,
    /// The highest layer of the graph.
    pub max_level: u64,
    /// How many elements have attributes.
    pub attributes_count: u64,
    /// The set's id on this server.
    pub vset_uid: u64,
    /// The highest id that an element had.
    pub hnsw_max_node_uid: u64,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    fn words(value: impl ToArgs<One>) -> Vec<Vec<u8>> {
        let mut args = Args::default();
        value.to_args(&mut args);
        args.iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn vectors_are_bytes_or_text() {
        let bytes = [b"FP32".to_vec(), vec![0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf]];
        assert_eq!(words(Vector::from([1.0_f32, -0.5])), bytes);
        assert_eq!(words(Vector::from(&[1.0_f32, -0.5][..])), bytes);
        assert_eq!(
            words(Vector::from(vec![1.0, -0.25_f64])),
            [&b"VALUES"[..], b"2", b"1", b"-0.25"]
        );
        assert_eq!(words(VectorQuery::from([1.0_f64])), [&b"VALUES"[..], b"1", b"1"]);
        assert_eq!(words(VectorQuery::element("e")), [&b"ELE"[..], b"e"]);
    }

    #[test]
    fn scored_elements_are_the_same_in_both_protocols() {
        let resp2 =
            b"*6\r\n$1\r\na\r\n$1\r\n1\r\n$7\r\n{\"y\":1}\r\n$1\r\nb\r\n$3\r\n0.5\r\n$-1\r\n";
        let resp3 =
            b"%2\r\n$1\r\na\r\n*2\r\n,1\r\n$7\r\n{\"y\":1}\r\n$1\r\nb\r\n*2\r\n,0.5\r\n_\r\n";
        for frame in [&resp2[..], resp3] {
            let found: Vec<ScoredElement<String>> = decode(frame).unwrap();
            let attributes = Some("{\"y\":1}".to_owned());
            let a = ScoredElement { element: "a".to_owned(), score: 1.0, attributes };
            let b = ScoredElement { element: "b".to_owned(), score: 0.5, attributes: None };
            assert_eq!(found, [a, b]);
        }
        assert_eq!(decode::<Vec<ScoredElement<String>>>(b"*0\r\n").unwrap(), []);
        let error = decode::<Vec<ScoredElement<String>>>(b"*1\r\n$1\r\na\r\n").unwrap_err();
        assert_eq!(error.message(), "expected three values for each element");
    }

    #[test]
    fn raw_vectors_are_the_same_in_both_protocols() {
        for number in ["$3\r\n2.5", ",2.5"] {
            let frame = format!("*4\r\n+int8\r\n$2\r\n\x7f\x00\r\n{number}\r\n{number}\r\n");
            let raw: RawVector = decode(frame.as_bytes()).unwrap();
            assert_eq!((raw.quantization, &raw.bytes[..]), (Quantization::Int8, &b"\x7f\0"[..]));
            assert_eq!((raw.norm, raw.range), (2.5, Some(2.5)));
            let frame = format!("*3\r\n+f32\r\n$0\r\n\r\n{number}\r\n");
            let raw: RawVector = decode(frame.as_bytes()).unwrap();
            assert_eq!((raw.quantization, raw.range), (Quantization::None, None));
        }
        assert!(decode::<RawVector>(b"*1\r\n+f32\r\n").is_err());
    }

    #[test]
    fn facts_of_a_set_are_the_same_in_both_protocols() {
        let fields = "+quant-type\r\n+bin\r\n+hnsw-m\r\n:8\r\n+vector-dim\r\n:2\r\n+projection-input-dim\r\n:4\r\n\
            +size\r\n:3\r\n+max-level\r\n:0\r\n+attributes-count\r\n:1\r\n+vset-uid\r\n:5\r\n+hnsw-max-node-uid\r\n:6\r\n";
        for map in ["*18", "%9"] {
            let info: VectorSetInfo = decode(format!("{map}\r\n{fields}").as_bytes()).unwrap();
            assert_eq!((info.quant_type, info.hnsw_m, info.size), (Quantization::Binary, 8, 3));
            assert_eq!((info.vector_dim, info.projection_input_dim), (2, 4));
            assert_eq!((info.attributes_count, info.vset_uid, info.hnsw_max_node_uid), (1, 5, 6));
        }
        assert_eq!(decode::<Option<VectorSetInfo>>(b"*-1\r\n").unwrap(), None);
    }
}
