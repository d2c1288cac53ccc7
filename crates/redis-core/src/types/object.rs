//! How the server keeps values in memory.

use redis_derive::FromReply;

/// How the server keeps a value in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Encoding {
    /// `raw`: a string of its own.
    Raw,
    /// `int`: a string that is an integer.
    Int,
    /// `embstr`: a short string, stored with its object.
    #[redis(rename = "embstr")]
    EmbeddedString,
    /// `quicklist`: a list of listpacks.
    QuickList,
    /// `listpack`: values in one piece of memory.
    ListPack,
    /// `listpackex`: a listpack whose fields expire.
    ListPackEx,
    /// `ziplist`: values in one piece of memory, before 7.0.
    ZipList,
    /// `intset`: a sorted array of integers.
    IntSet,
    /// `hashtable`: a hash table.
    HashTable,
    /// `skiplist`: a skip list.
    SkipList,
    /// `btree`: a B-tree.
    BTree,
    /// `stream`: a radix tree of listpacks.
    Stream,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn an_encoding_that_is_not_known_keeps_its_name() {
        assert_eq!(decode::<Encoding>(b"$6\r\nembstr\r\n").unwrap(), Encoding::EmbeddedString);
        assert_eq!(decode::<Encoding>(b"$3\r\nnew\r\n").unwrap(), Encoding::Other("new".into()));
        assert_eq!(decode::<Option<Encoding>>(b"_\r\n").unwrap(), None);
    }
}
