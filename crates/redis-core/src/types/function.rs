//! Functions of the server: the replies of `FUNCTION LIST` and `FUNCTION STATS`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use redis_derive::FromReply;

use super::time::millis;
use crate::reply::Value;

/// A library of functions: an element of the reply of `FUNCTION LIST`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct FunctionLibrary {
    /// Its name.
    pub library_name: String,
    /// The language it is written in, such as `LUA`.
    pub engine: String,
    /// Its functions, in no order that means something.
    pub functions: Vec<Function>,
    /// Its source, where `WITHCODE` asked for it.
    pub library_code: Option<String>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// A function of a [`FunctionLibrary`].
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What its author says of it.
    pub description: Option<String>,
    /// What it does and needs.
    pub flags: Vec<FunctionFlag>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// What a function, or a script, says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FunctionFlag {
    /// It only reads.
    NoWrites,
    /// It may run when the server is out of memory.
    AllowOom,
    /// It may run on a replica with stale data.
    AllowStale,
    /// It may not run in a cluster.
    NoCluster,
    /// It may touch keys of several slots.
    AllowCrossSlotKeys,
    /// A word of a newer server.
    #[redis(other)]
    Other(String),
}

/// What runs, and what could: the reply of `FUNCTION STATS`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The function that runs at the moment.
    pub running_script: Option<RunningFunction>,
    /// What there is of each language.
    pub engines: BTreeMap<String, FunctionEngine>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// The function that runs at the moment.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct RunningFunction {
    /// Its name.
    pub name: String,
    /// The words of the command that called it.
    pub command: Vec<Bytes>,
    /// For how long it has been running.
    #[redis(rename = "duration_ms", with = millis)]
    pub duration: Duration,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// What there is of one language.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct FunctionEngine {
    /// How many libraries.
    pub libraries_count: u64,
    /// How many functions.
    pub functions_count: u64,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn libraries_are_the_same_in_both_protocols() {
        // Of Redis 8.6 and of Valkey 9.1.
        let resp2 = "*1\r\n*6\r\n$12\r\nlibrary_name\r\n$5\r\nmylib\r\n$6\r\nengine\r\n$3\r\nLUA\r\n$9\r\nfunctions\r\n*2\r\n\
            *6\r\n$4\r\nname\r\n$1\r\nf\r\n$11\r\ndescription\r\n$4\r\nsays\r\n$5\r\nflags\r\n*1\r\n+no-writes\r\n\
            *6\r\n$4\r\nname\r\n$1\r\ng\r\n$11\r\ndescription\r\n$-1\r\n$5\r\nflags\r\n*0\r\n";
        let resp3 = "*1\r\n%3\r\n$12\r\nlibrary_name\r\n$5\r\nmylib\r\n$6\r\nengine\r\n$3\r\nLUA\r\n$9\r\nfunctions\r\n*2\r\n\
            %3\r\n$4\r\nname\r\n$1\r\nf\r\n$11\r\ndescription\r\n$4\r\nsays\r\n$5\r\nflags\r\n~1\r\n+no-writes\r\n\
            %3\r\n$4\r\nname\r\n$1\r\ng\r\n$11\r\ndescription\r\n_\r\n$5\r\nflags\r\n~0\r\n";
        for frame in [resp2, resp3] {
            let libraries: Vec<FunctionLibrary> = decode(frame.as_bytes()).unwrap();
            let [library] = &libraries[..] else { panic!("{libraries:?}") };
            assert_eq!((&*library.library_name, &*library.engine), ("mylib", "LUA"));
            assert_eq!(library.library_code, None);
            let [f, g] = &library.functions[..] else { panic!("{library:?}") };
            assert_eq!((&*f.name, f.description.as_deref()), ("f", Some("says")));
            assert_eq!(f.flags, [FunctionFlag::NoWrites]);
            assert_eq!((&*g.name, &g.description, g.flags.len()), ("g", &None, 0));
        }
    }

    #[test]
    fn running_function_is_the_same_in_both_protocols() {
        let running = "$4\r\nname\r\n$4\r\nspin\r\n$7\r\ncommand\r\n*3\r\n$5\r\nFCALL\r\n$4\r\nspin\r\n$1\r\n0\r\n\
            $11\r\nduration_ms\r\n:25\r\n$7\r\n";
        let counts = "$15\r\nlibraries_count\r\n:2\r\n$15\r\nfunctions_count\r\n:3\r\n";
        let frames = [
            format!(
                "*4\r\n$14\r\nrunning_script\r\n*6\r\n{running}engines\r\n*2\r\n$3\r\nLUA\r\n*4\r\n{counts}"
            ),
            format!(
                "%2\r\n$14\r\nrunning_script\r\n%3\r\n{running}engines\r\n%1\r\n$3\r\nLUA\r\n%2\r\n{counts}"
            ),
        ];
        for frame in frames {
            let stats: FunctionStats = decode(frame.as_bytes()).unwrap();
            let running = stats.running_script.unwrap();
            assert_eq!((&*running.name, running.duration), ("spin", Duration::from_millis(25)));
            assert_eq!(running.command, ["FCALL", "spin", "0"]);
            let lua = &stats.engines["LUA"];
            assert_eq!((lua.libraries_count, lua.functions_count), (2, 3));
        }
        let idle = b"%2\r\n$14\r\nrunning_script\r\n_\r\n$7\r\nengines\r\n%0\r\n";
        assert_eq!(decode::<FunctionStats>(idle).unwrap().running_script, None);
    }
}
