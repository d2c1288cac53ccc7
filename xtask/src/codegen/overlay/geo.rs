//! Commands of the group `geo`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let options = |entry: Entry| {
        entry
            .ty("count", As::Type("u64"))
            .setter("count-block", "count")
            .note("ASC", "Nearest first.")
            .note("DESC", "Farthest first.")
            .note("count-block", "How many at the most: the nearest.")
            .note("ANY", "Whichever are found first, which need not be the nearest.")
    };
    let with = |entry: Entry| {
        options(entry)
            .ty("withcoord", As::Words("GeoWith"))
            .rename("withcoord", "what")
            .setter("WITHCOORD", "with")
            .turns("WITHCOORD", "Vec<M>", "Vec<GeoMatch<M>>")
            .note("WITHCOORD", "Returns their places, distances from the middle or hashes too.")
            .within("WITHDIST")
            .within("WITHHASH")
    };
    let radius = |command, doc| with(entry(command, "Vec<M>", doc)).ty("unit", As::Type("GeoUnit"));
    let radius_store = |command, doc| {
        radius(command, doc)
            .turns("STORE STOREDIST", "Vec<M>", "u64")
            .setter("STORE", "store")
            .setter("STOREDIST", "store_distances")
            .rename("storekey", "destination")
            .rename("storedistkey", "destination")
            .note("STORE", "Stores them as a set of places; returns how many.")
            .note("STOREDIST", "Stores them with their distances as scores; returns how many.")
    };
    vec![
        entry("GEOADD", "u64", "Adds members with their longitude and latitude in degrees; returns how many are new.")
            .rename("data", "members")
            .note("NX", "Only adds members, never moves one.")
            .note("XX", "Only moves members, never adds one.")
            .example(r#"cmd::geoadd("cities", [(13.5, 52.5, "Berlin")])"#, "GEOADD cities 13.5 52.5 Berlin"),
        entry("GEODIST", "Option<f64>", "The distance of two members in metres.")
            .ty("unit", As::Type("GeoUnit"))
            .note("unit", "In this unit.")
            .example(r#"cmd::geodist("cities", "Berlin", "Paris").unit(GeoUnit::Kilometres)"#, "GEODIST cities Berlin Paris km"),
        entry("GEOHASH", "Vec<Option<String>>", "The places of members as geohashes of 11 characters.").promote("member"),
        entry("GEOPOS", "Vec<Option<GeoPoint>>", "The places of members.").promote("member"),
        radius_store("GEORADIUS", "The members within a distance of a place."),
        radius_store("GEORADIUSBYMEMBER", "The members within a distance of a member."),
        radius("GEORADIUSBYMEMBER_RO", "As `georadiusbymember`, without storing."),
        radius("GEORADIUS_RO", "As `georadius`, without storing."),
        with(entry("GEOSEARCH", "Vec<M>", "The members in an area."))
            .ty("from", As::Words("GeoArea"))
            .rename("from", "area")
            .within("by")
            .example(r#"cmd::geosearch::<String>("cities", GeoArea::circle((13.5, 52.5), 200.0, GeoUnit::Kilometres)).asc().count(3)"#, "GEOSEARCH cities FROMLONLAT 13.5 52.5 BYRADIUS 200 km ASC COUNT 3"),
        options(entry("GEOSEARCHSTORE", "u64", "Stores the members in an area; returns how many."))
            .ty("from", As::Words("GeoArea"))
            .rename("from", "area")
            .within("by")
            .setter("STOREDIST", "store_distances")
            .note("STOREDIST", "Stores their distances as scores, not their places."),
    ]
}
