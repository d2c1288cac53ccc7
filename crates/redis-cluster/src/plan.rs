//! Where a command goes before anything was sent: to one node, to several as parts, or to many as a whole.
//!
//! Owns the reading of the table's request policies. Knows nothing of which node serves what.

use redis_core::pipeline::Mark;
use redis_core::{
    BeginSearch, Cmd, CommandInfo, Endpoint, Error, ErrorKind, FindKeys, Flags, KeyFlags,
    RequestPolicy, ResponsePolicy, Result, slot_of,
};
use resp_proto::request;

use crate::exchange::Source;
use crate::keys::{Placement, key_positions, placement};
use crate::merge::Merge;
use crate::registry::NodeId;
use crate::same_slot::SameSlot;

/// Which nodes get a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Those that serve its keys; without keys, as the command table's request policy says.
    #[default]
    Auto,
    /// This one. What it answers is the answer: redirects are not followed.
    Node(NodeId),
    /// Every one of these; the replies are merged as the table says, and else are a list.
    Every(Scope),
}

impl Target {
    /// The same call of a script with its source, where it goes to many nodes: those that have the script must not
    /// run it again because another one lacks it.
    pub fn for_many<R>(self, cmd: &Cmd<R>) -> Option<Cmd<R>> {
        cmd.with_source().filter(|_| matches!(self, Self::Every(_)))
    }
}

/// A choice of nodes by hand, as a user makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// The node at this endpoint. What it answers is the answer: redirects are not followed.
    Node(Endpoint),
    /// Every primary.
    Primaries,
    /// Every replica.
    Replicas,
    /// Every node.
    Nodes,
}

/// Many nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The primaries.
    Primaries,
    /// The replicas.
    Replicas,
    /// Both.
    Nodes,
}

/// Where a command goes.
#[derive(Debug)]
pub(crate) enum Plan {
    /// To the node of this slot.
    Slot(u16),
    /// To any primary.
    Any,
    /// To this one.
    Node(NodeId),
    /// To every one of these.
    Every(Scope, Merge),
    /// In parts, each to its slot.
    Split(Split),
    /// The server is to say which words are keys.
    Unknown,
}

/// A command in parts.
#[derive(Debug)]
pub(crate) struct Split {
    /// Each part's slot, and where it is among the bytes.
    pub(crate) parts: Vec<(u16, usize, usize)>,
    pub(crate) merge: Merge,
}

/// Where the command at this position of the source goes. The parts of one that is split are appended to `own`.
pub(crate) fn plan<S: Source + ?Sized>(
    source: &S,
    index: usize,
    mark: &Mark,
    target: Target,
    splits_pairs: bool,
    own: &mut Vec<u8>,
) -> Result<Plan> {
    match target {
        Target::Auto => {}
        Target::Node(node) => return Ok(Plan::Node(node)),
        Target::Every(scope) => {
            let merge = Merge::of(mark.info.response_policy).unwrap_or(Merge::Collect);
            return Ok(Plan::Every(scope, merge));
        }
    }
    let info = mark.info;
    if let Some(slot) = slot_of_one(mark) {
        return Ok(Plan::Slot(slot));
    }
    if info.keys.is_empty() && info.words > 0 && info.flags != Flags::NONE {
        return keyless(info);
    }
    let words = source.words(index);
    match placement(info, &words) {
        Placement::Slot(slot) => Ok(Plan::Slot(slot)),
        Placement::Keyless => keyless(info),
        Placement::Unknown => Ok(Plan::Unknown),
        Placement::Slots(slots) => match step(info) {
            Some(step) if step == 1 || splits_pairs => {
                Ok(Plan::Split(split(info, &words, &slots, step, own)))
            }
            step => Err(apart(info, &words, step.is_some())),
        },
    }
}

/// The slot of a command whose only key its builder marked.
#[inline]
pub(crate) fn slot_of_one(mark: &Mark) -> Option<u16> {
    mark.slot.filter(|_| has_one_key(mark.info))
}

/// Whether the first key is the only one, whatever the arguments are.
#[inline]
fn has_one_key(info: &CommandInfo) -> bool {
    let [spec] = info.keys else { return false };
    matches!(spec.begin, BeginSearch::Index(_))
        && matches!(spec.find, FindKeys::Range { last: 0, .. })
        && !spec.flags.contains(KeyFlags::INCOMPLETE)
}

/// How many words each key of a command has that can be split, its own included.
fn step(info: &CommandInfo) -> Option<usize> {
    let [spec] = info.keys else { return None };
    let behind_the_name = spec.begin == BeginSearch::Index(u16::from(info.words));
    match (info.request_policy, spec.find) {
        (RequestPolicy::MultiShard, FindKeys::Range { last: -1, step, limit: 0 | 1 })
            if behind_the_name =>
        {
            Some(step.max(1).into())
        }
        _ => None,
    }
}

fn keyless(info: &CommandInfo) -> Result<Plan> {
    let scope = match info.request_policy {
        RequestPolicy::AllNodes => Scope::Nodes,
        RequestPolicy::AllShards => Scope::Primaries,
        _ if info.name == "SCAN" => {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "SCAN walks through one node of a cluster: walk with `scan_iter`, or name the node",
            ));
        }
        _ => return Ok(Plan::Any),
    };
    // What can't be put together is one node's answer, which is asked for as such.
    let merge = match (info.name, info.response_policy) {
        ("RANDOMKEY", _) => Some(Merge::Any),
        (_, ResponsePolicy::Default) => Some(Merge::Concat),
        (_, policy) => Merge::of(policy),
    };
    Ok(merge.map_or(Plan::Any, |merge| Plan::Every(scope, merge)))
}

/// The error for keys in several slots.
fn apart(info: &CommandInfo, words: &[&[u8]], splits: bool) -> Error {
    let mut check = SameSlot::new("command");
    let keys = key_positions(info, words).into_iter().flatten();
    let error = keys.filter_map(|at| check.add(words[at]).err()).next();
    let error = error
        .unwrap_or_else(|| Error::new(ErrorKind::InvalidRequest, "the keys are in several slots"));
    let name = info.name;
    if splits {
        return error.with_context(format!(
            "{name} is not atomic over several slots: see `split_mset`, by which it is split"
        ));
    }
    error.with_context(name)
}

fn split(
    info: &CommandInfo,
    words: &[&[u8]],
    slots: &[u16],
    step: usize,
    own: &mut Vec<u8>,
) -> Split {
    let name = usize::from(info.words);
    let owners: Vec<u32> = words[name..]
        .chunks(step)
        .map(|group| slots.partition_point(|slot| *slot < slot_of(group[0])) as u32)
        .collect();
    let mut parts = Vec::with_capacity(slots.len());
    // The groups of each part, in their order, without looking at all of them for each part.
    let mut order: Vec<u32> = (0..owners.len() as u32).collect();
    order.sort_by_key(|&group| owners[group as usize]);
    for groups in order.chunk_by(|a, b| owners[*a as usize] == owners[*b as usize]) {
        let start = own.len();
        let group = |at: &u32| {
            let first = name + *at as usize * step;
            // The last value may be missing, which the server refuses.
            &words[first..words.len().min(first + step)]
        };
        let count: usize = groups.iter().map(|at| group(at).len()).sum();
        request::array_header(own, name + count);
        words[..name].iter().for_each(|word| request::bulk(own, word));
        for word in groups.iter().flat_map(group) {
            request::bulk(own, word);
        }
        let slot = slots[owners[groups[0] as usize] as usize];
        parts.push((slot, start, own.len()));
    }
    let merge = match info.response_policy {
        ResponsePolicy::Default => Merge::ByKey(owners),
        policy => Merge::of(policy).unwrap_or(Merge::Collect),
    };
    Split { parts, merge }
}

/// The slot of a transaction's keys; none where it has none.
///
/// # Errors
///
/// `InvalidRequest`, naming both keys, when they are in several slots.
pub(crate) fn slot_of_all<S: Source + ?Sized>(source: &S) -> Result<Option<u16>> {
    let mut slot = None;
    for index in 0..source.len() {
        let mark = source.mark(index);
        let placed = match slot_of_one(&mark) {
            Some(slot) => Placement::Slot(slot),
            None => placement(mark.info, &source.words(index)),
        };
        match placed {
            Placement::Slot(own) if *slot.get_or_insert(own) == own => {}
            Placement::Slot(_) | Placement::Slots(_) => {
                check_all(source)?;
            }
            // What the server does not find there, it says.
            Placement::Keyless | Placement::Unknown => {}
        }
    }
    Ok(slot)
}

/// The same, key by key, to name those that are apart.
fn check_all<S: Source + ?Sized>(source: &S) -> Result<()> {
    let mut check = SameSlot::new("transaction");
    for index in 0..source.len() {
        let words = source.words(index);
        let keys = key_positions(source.mark(index).info, &words).into_iter().flatten();
        for at in keys {
            let name = |error: Error| error.with_context(format!("command {}", index + 1));
            check.add(words[at]).map_err(name)?;
        }
    }
    Ok(())
}
