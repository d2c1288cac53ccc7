//! Places on the earth, the areas that are searched, and what is found in them.

use std::ops::BitOr;

use bytes::Bytes;
use resp_proto::Token;

use crate::command::{Arg, Args, One, ToArg, ToArgs, Written};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// A unit of distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GeoUnit {
    /// Metres: what the servers use without a unit.
    Metres,
    /// Kilometres.
    Kilometres,
    /// Feet.
    Feet,
    /// Miles.
    Miles,
}

/// In lower case: Redis 6.2 knows no other.
impl ToArg for GeoUnit {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(match self {
            Self::Metres => b"m",
            Self::Kilometres => b"km",
            Self::Feet => b"ft",
            Self::Miles => b"mi",
        })
    }
}

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeoPoint {
    /// Degrees east, negative ones west.
    pub longitude: f64,
    /// Degrees north, negative ones south.
    pub latitude: f64,
}

impl GeoPoint {
    /// The place at these degrees east and north.
    pub const fn new(longitude: f64, latitude: f64) -> Self {
        Self { longitude, latitude }
    }
}

impl From<(f64, f64)> for GeoPoint {
    fn from((longitude, latitude): (f64, f64)) -> Self {
        Self { longitude, latitude }
    }
}

impl FromReply for GeoPoint {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        <(f64, f64)>::from_reply(reply).map(Self::from)
    }
}

/// What the middle of a searched area is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum GeoCenter {
    /// The place of this member.
    Member(Bytes),
    /// This place.
    Point(GeoPoint),
}

impl GeoCenter {
    /// The place of this member.
    pub fn member(member: impl AsRef<[u8]>) -> Self {
        Self::Member(Bytes::copy_from_slice(member.as_ref()))
    }
}

impl<T: Into<GeoPoint>> From<T> for GeoCenter {
    fn from(point: T) -> Self {
        Self::Point(point.into())
    }
}

/// A searched area.
///
/// # Examples
///
/// ```
/// use redis_core::types::{GeoArea, GeoCenter, GeoUnit};
///
/// let around = GeoArea::circle(GeoCenter::member("Palermo"), 200.0, GeoUnit::Kilometres);
/// let near = GeoArea::rectangle((13.4, 38.0), 50.0, 80.0, GeoUnit::Miles);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an area does nothing until a command has it"]
pub struct GeoArea(Area);

#[derive(Clone, Debug, PartialEq)]
enum Area {
    Circle { center: GeoCenter, radius: f64, unit: GeoUnit },
    Rectangle { center: GeoCenter, width: f64, height: f64, unit: GeoUnit },
    Polygon(Vec<GeoPoint>),
}

impl GeoArea {
    /// All within a distance.
    pub fn circle(center: impl Into<GeoCenter>, radius: f64, unit: GeoUnit) -> Self {
        Self(Area::Circle { center: center.into(), radius, unit })
    }

    /// All within half the width to the east and west, and half the height to the north and south.
    pub fn rectangle(center: impl Into<GeoCenter>, width: f64, height: f64, unit: GeoUnit) -> Self {
        Self(Area::Rectangle { center: center.into(), width, height, unit })
    }

    /// All within a polygon of at least three corners; since Valkey 9.0. Distances are from its middle.
    pub fn polygon<P: Into<GeoPoint>>(corners: impl IntoIterator<Item = P>) -> Self {
        Self(Area::Polygon(corners.into_iter().map(Into::into).collect()))
    }
}

impl ToArgs<One> for GeoArea {
    fn to_args(self, args: &mut Args) {
        let from = |args: &mut Args, center: GeoCenter| match center {
            GeoCenter::Member(member) => {
                args.push("FROMMEMBER");
                args.push(member);
            }
            GeoCenter::Point(point) => {
                args.push("FROMLONLAT");
                args.push(point.longitude);
                args.push(point.latitude);
            }
        };
        match self.0 {
            Area::Circle { center, radius, unit } => {
                from(args, center);
                args.push("BYRADIUS");
                args.push(radius);
                args.push(unit);
            }
            Area::Rectangle { center, width, height, unit } => {
                from(args, center);
                args.push("BYBOX");
                args.push(width);
                args.push(height);
                args.push(unit);
            }
            Area::Polygon(corners) => {
                args.push("BYPOLYGON");
                args.push(corners.len());
                for corner in corners {
                    args.push(corner.longitude);
                    args.push(corner.latitude);
                }
            }
        }
    }
}

/// What a search tells of each member.
///
/// # Examples
///
/// ```
/// use redis_core::types::GeoWith;
///
/// let both = GeoWith::DISTANCE | GeoWith::POINT;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GeoWith(u8);

impl GeoWith {
    /// Its place.
    pub const POINT: Self = Self(1);
    /// Its distance from the middle of the area.
    pub const DISTANCE: Self = Self(2);
    /// The number that it is sorted by.
    pub const HASH: Self = Self(4);
}

impl BitOr for GeoWith {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ToArgs<One> for GeoWith {
    fn to_args(self, args: &mut Args) {
        let words =
            [(Self::POINT, "WITHCOORD"), (Self::DISTANCE, "WITHDIST"), (Self::HASH, "WITHHASH")];
        for (what, word) in words {
            if self | what == self {
                args.push(word);
            }
        }
    }
}

/// A member that was found, with what was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GeoMatch<M> {
    /// The member.
    pub member: M,
    /// Its distance from the middle of the area, in the area's unit.
    pub distance: Option<f64>,
    /// The number that it is sorted by.
    pub hash: Option<u64>,
    /// Its place.
    pub point: Option<GeoPoint>,
}

/// What was asked for is told by its type: a string or double is the distance, an integer the hash, a
/// list the place.
impl<M: FromReply> FromReply for GeoMatch<M> {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let parts = reply.list()?;
        let Some(others) = parts.and_then(|parts| parts.checked_sub(1)) else {
            return Err(Error::decode("expected a member and what was asked for, got nothing"));
        };
        let member = M::from_reply(reply)?;
        let mut found = Self { member, distance: None, hash: None, point: None };
        for _ in 0..others {
            match reply.peek()? {
                Token::Integer(_) => found.hash = Some(u64::from_reply(reply)?),
                Token::Array(_) => found.point = Some(GeoPoint::from_reply(reply)?),
                _ => found.distance = Some(f64::from_reply(reply)?),
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    fn words(value: impl ToArgs<One>) -> String {
        let mut args = Args::default();
        value.to_args(&mut args);
        let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
        words.join(" ")
    }

    #[test]
    fn areas_are_written_with_their_middle() {
        let circle = GeoArea::circle(GeoCenter::member("m"), 2.5, GeoUnit::Kilometres);
        assert_eq!(words(circle), "FROMMEMBER m BYRADIUS 2.5 km");
        let rectangle = GeoArea::rectangle((1.0, -2.0), 3.0, 4.0, GeoUnit::Miles);
        assert_eq!(words(rectangle), "FROMLONLAT 1 -2 BYBOX 3 4 mi");
        let polygon = GeoArea::polygon([(0.0, 0.0), (1.0, 0.0), (0.0, 1.5)]);
        assert_eq!(words(polygon), "BYPOLYGON 3 0 0 1 0 0 1.5");
    }

    #[test]
    fn what_is_told_is_a_set_of_words() {
        assert_eq!(words(GeoWith::DISTANCE), "WITHDIST");
        assert_eq!(words(GeoWith::HASH | GeoWith::POINT), "WITHCOORD WITHHASH");
        let all = GeoWith::DISTANCE | GeoWith::HASH | GeoWith::POINT;
        assert_eq!(words(all), "WITHCOORD WITHDIST WITHHASH");
    }

    #[test]
    fn places_are_the_same_in_both_protocols() {
        for frame in [
            &b"*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$4\r\n38.5\r\n*-1\r\n"[..],
            b"*2\r\n*2\r\n,13.36138933897018433\r\n,38.5\r\n_\r\n",
        ] {
            let expected = [Some(GeoPoint::new(13.361389338970184, 38.5)), None];
            assert_eq!(decode::<Vec<Option<GeoPoint>>>(frame).unwrap(), expected);
        }
    }

    #[test]
    fn matches_have_what_was_asked_for() {
        let full = GeoMatch {
            member: "Palermo".to_owned(),
            distance: Some(0.5),
            hash: Some(3479099956230698),
            point: Some(GeoPoint::new(13.5, 38.25)),
        };
        for frame in [
            &b"*4\r\n$7\r\nPalermo\r\n$6\r\n0.5000\r\n:3479099956230698\r\n*2\r\n$4\r\n13.5\r\n$5\r\n38.25\r\n"[..],
            b"*4\r\n$7\r\nPalermo\r\n$6\r\n0.5000\r\n:3479099956230698\r\n*2\r\n,13.5\r\n,38.25\r\n",
        ] {
            assert_eq!(decode::<GeoMatch<String>>(frame).unwrap(), full);
        }
        let hash = decode::<GeoMatch<String>>(b"*2\r\n$1\r\nm\r\n:7\r\n").unwrap();
        let expected =
            GeoMatch { member: "m".to_owned(), distance: None, hash: Some(7), point: None };
        assert_eq!(hash, expected);
        assert!(decode::<GeoMatch<String>>(b"*0\r\n").is_err());
    }
}
