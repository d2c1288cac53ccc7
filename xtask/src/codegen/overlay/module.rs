//! Commands of the group `module`: the vector sets of Redis.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let vsim = |reply, doc| {
        entry("VSIM", reply, doc)
            .without("format")
            .ty("vector_or_element", As::IntoWords("VectorQuery"))
            .rename("vector_or_element", "query")
            .ty("count", As::Type("u64"))
            .ty("search-exploration-factor", As::Type("u64"))
            .rename("search-exploration-factor", "candidates")
            .rename("max_distance", "distance")
            .ty("max-filtering-effort", As::Type("u64"))
            .rename("max-filtering-effort", "candidates")
            .setter("EPSILON", "within")
            .setter("EF", "ef")
            .setter("FILTER-EF", "filter_ef")
            .setter("NOTHREAD", "no_thread")
            .note("WITHSCORES", "Returns how like they are, too: 1 is the same direction, 0 the opposite one.")
            .note("EPSILON", "Only those at most so far away, from 0 to 1; to 2 on Redis 8.0.")
            .note("EF", "How many candidates to look at; more is slower and better.")
            .note("FILTER", "Only those whose attributes make this expression true.")
            .note("FILTER-EF", "How many candidates to try the expression on.")
            .note("TRUTH", "Compares with each element, which is slow and exact.")
            .note("NOTHREAD", "Searches on the server's main thread.")
    };
    vec![
        entry("VADD", "bool", "Adds an element with its vector, or gives it a new one; whether it is new.")
            .without("format")
            .ty("vector", As::IntoWords("Vector"))
            .ty("dim", As::Type("u64"))
            .ty("build-exploration-factor", As::Type("u64"))
            .rename("build-exploration-factor", "candidates")
            .ty("numlinks", As::Type("u64"))
            .rename("numlinks", "neighbours")
            .setter("EF", "ef")
            .setter("SETATTR", "attributes")
            .note("REDUCE", "Projects the vectors of the set to so many numbers.")
            .note("CAS", "Looks for neighbours on another thread.")
            .note("NOQUANT", "Keeps the vectors' numbers as they are.")
            .note("BIN", "Keeps 1 bit of each of the vectors' numbers.")
            .note("Q8", "Keeps 8 bits of each of the vectors' numbers, as without an option.")
            .note("EF", "How many candidates to look at for neighbours; more is slower and better.")
            .note("SETATTR", "The element's attributes: JSON text.")
            .note("M", "How many neighbours an element of the set has at the most."),
        entry("VCARD", "u64", "How many elements a vector set has."),
        entry("VDIM", "u64", "How many numbers the vectors of a set have."),
        entry("VEMB", "Option<Vec<f32>>", "The vector of an element, about as it was added.")
            .turns("RAW", "Option<Vec<f32>>", "Option<RawVector>")
            .note("RAW", "Returns it as the set keeps it."),
        entry("VGETATTR", "Option<V>", "The attributes of an element: JSON text."),
        entry("VINFO", "Option<VectorSetInfo>", "Facts of a vector set."),
        entry("VISMEMBER", "bool", "Whether a vector set has an element."),
        entry("VLINKS", "Option<VectorLinks<M>>", "The neighbours of an element.")
            .turns("WITHSCORES", "Option<VectorLinks<M>>", "Option<VectorLinks<(M, f64)>>"),
        entry("VRANDMEMBER", "Option<M>", "A random element.")
            .turns("count", "Option<M>", "Vec<M>")
            .note("count", "Returns so many different elements; below zero so many, some maybe several times."),
        entry("VRANGE", "Vec<M>", "Lists elements from `start` to `end`, in the order of their bytes: `[` before one includes it, `(` leaves it out, `-` and `+` are the ends.")
            .note("count", "How many at the most."),
        entry("VREM", "bool", "Removes an element; whether there was one."),
        entry("VSETATTR", "bool", "Sets the attributes of an element, JSON text; the empty text removes them. Whether there is such an element.")
            .rename("json", "attributes"),
        vsim("Vec<M>", "Lists the elements that are most like another one, or like a vector.")
            .without("withattribs")
            .turns("WITHSCORES", "Vec<M>", "Vec<(M, f64)>"),
        vsim("Vec<(M, Option<String>)>", "As `vsim`; each element comes with its attributes, JSON text, where it has some.")
            .name("vsim_with_attributes")
            .promote("withattribs")
            .turns("WITHSCORES", "Vec<(M, Option<String>)>", "Vec<ScoredElement<M>>"),
    ]
}
