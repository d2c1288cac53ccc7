//! A loaded module.

use std::collections::BTreeMap;

use redis_derive::FromReply;

use crate::reply::Value;

use super::record::not_empty;

/// A module that the server has loaded.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// Its version, as it counts them.
    #[redis(rename = "ver")]
    pub version: u64,
    /// The file it was loaded from; none for one that is part of the server.
    #[redis(default, with = not_empty)]
    pub path: Option<String>,
    /// What it was loaded with.
    #[redis(default)]
    pub args: Vec<String>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn a_module_is_the_same_in_both_protocols() {
        let resp2 = b"*1\r\n*8\r\n$4\r\nname\r\n$9\r\nvectorset\r\n$3\r\nver\r\n:1\r\n$4\r\npath\r\n$0\r\n\r\n\
            $4\r\nargs\r\n*0\r\n";
        let resp3 = b"*1\r\n%4\r\n$4\r\nname\r\n$9\r\nvectorset\r\n$3\r\nver\r\n:1\r\n$4\r\npath\r\n$0\r\n\r\n\
            $4\r\nargs\r\n*0\r\n";
        let modules = decode::<Vec<ModuleInfo>>(resp2).unwrap();
        assert_eq!(decode::<Vec<ModuleInfo>>(resp3).unwrap(), modules);
        assert_eq!((&*modules[0].name, modules[0].version), ("vectorset", 1));
        assert_eq!(modules[0].path, None);
    }

    #[test]
    fn older_servers_tell_name_and_version_alone() {
        let frame = b"*4\r\n$4\r\nname\r\n$1\r\nm\r\n$3\r\nver\r\n:30000\r\n";
        let module = decode::<ModuleInfo>(frame).unwrap();
        assert_eq!((module.version, module.path, module.args.len()), (30_000, None, 0));
        assert!(decode::<ModuleInfo>(b"*2\r\n$4\r\nname\r\n$1\r\nm\r\n").is_err());
    }
}
