//! Slots on their way from node to node: key by key, or all at once where the server can.

use std::{io, ops::RangeInclusive, time::Duration};

use redis_core::{
    Execute, cmd,
    types::{ClusterNode, MigrationTasks, SlotMove, SlotRange, SlotState},
};
use testkit::servers::{Installed, Version};

use crate::{cluster::Cluster, node::Node, view::said, wait::until};

/// How long a node may take to hand keys to another.
const HANDING: Duration = Duration::from_secs(20);

/// How many keys one MIGRATE takes.
const BATCH: u64 = 100;

/// A slot that moves key by key: its node answers for keys it has, and says ASK for others.
#[derive(Clone, Debug)]
pub struct Moving {
    /// The slot.
    pub slot: u16,
    /// The primary that gives it.
    pub from: Node,
    /// The primary that gets it.
    pub to: Node,
}

/// Whether the server moves slots with all their keys at once: Valkey since 9.0, Redis since 8.4.
pub fn migrates_atomically(installed: &Installed) -> bool {
    let since = match installed.name {
        "valkey" => Version::new(9, 0, 0),
        _ => Version::new(8, 4, 0),
    };
    installed.version >= since
}

impl Cluster {
    /// Moves a slot with its keys, one by one, to the primary `to`.
    ///
    /// # Errors
    /// As [`begin_move`](Self::begin_move), [`move_keys`](Self::move_keys) and [`end_move`](Self::end_move).
    pub fn move_slot(&self, slot: u16, to: &Node) -> io::Result<()> {
        let moving = self.begin_move(slot, to)?;
        self.end_move(&moving)
    }

    /// Begins to move a slot to the primary `to`: IMPORTING there, MIGRATING at its own.
    ///
    /// # Errors
    /// When nobody serves the slot, or a node refuses.
    pub fn begin_move(&self, slot: u16, to: &Node) -> io::Result<Moving> {
        let from = self.primary_of(slot)?;
        let importing = SlotState::Importing(from.id.clone());
        self.members().run(to, cmd::cluster_setslot(slot, importing))?;
        self.members()
            .run(&from, cmd::cluster_setslot(slot, SlotState::Migrating(to.id.clone())))?;
        Ok(Moving { slot, from, to: to.clone() })
    }

    /// Moves at most so many of the slot's keys, and returns how many there were.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_keys(&self, moving: &Moving, most: u64) -> io::Result<usize> {
        let Moving { slot, from, to } = moving;
        let keys: Vec<Vec<u8>> =
            self.members().run(from, cmd::cluster_getkeysinslot(*slot, most))?;
        let count = keys.len();
        if count == 0 {
            return Ok(0);
        }
        let host = to.addr.ip().to_string();
        let mut migrate = cmd::migrate_keys(host, to.port(), 0, HANDING, keys).replace();
        if let Some(password) = self.password()? {
            migrate = migrate.auth(password);
        }
        self.members().run(from, migrate)?;
        Ok(count)
    }

    /// Moves what keys the slot still has, hands the slot over, and returns when every node that runs has
    /// heard of it.
    ///
    /// # Errors
    /// When a node refuses; when some node does not hear of it within 60 s.
    pub fn end_move(&self, moving: &Moving) -> io::Result<()> {
        let Moving { slot, from, to } = moving;
        while self.move_keys(moving, BATCH)? > 0 {}
        let given = || cmd::cluster_setslot(*slot, SlotState::Node(to.id.clone()));
        // First who gets it: if the cluster hears that the other has it no more, someone must have it.
        self.members().run(to, given())?;
        let primaries = self.primaries()?;
        let mut told = self.members().running();
        told.retain(|seen| seen.node != *to && primaries.contains(&seen.node));
        told.sort_by_key(|seen| seen.node != *from);
        for seen in told {
            // Before Redis 7.0, one that hears of it from the others first, and has no other slot, is a
            // replica by now, which can't be told.
            if let Err(error) = seen.client.execute(given())
                && server_of(&seen.nodes()?, (*slot).into()).is_none_or(|id| id != to.id)
            {
                return Err(said(&seen.node, &error));
            }
        }
        self.until_served(SlotRange::from(*slot), to)
    }

    /// Gives a move up: the slot stays where it was, without the keys that have moved.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn cancel_move(&self, moving: &Moving) -> io::Result<()> {
        for node in [&moving.from, &moving.to] {
            self.members().run(node, cmd::cluster_setslot(moving.slot, SlotState::Stable))?;
        }
        Ok(())
    }

    /// Has the servers move slots with all their keys at once to the primary `to`, and returns when every
    /// node that runs has heard of it.
    ///
    /// # Errors
    /// `Unsupported` where the server [can't](migrates_atomically); when several nodes serve the slots, when
    /// the migration fails, or when it takes 60 s.
    pub fn migrate_slots_atomically(
        &self,
        slots: RangeInclusive<u16>,
        to: &Node,
    ) -> io::Result<()> {
        let installed = self.installed();
        if !migrates_atomically(installed) {
            let text = format!("{installed} moves slots key by key only");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let range = SlotRange::from(slots);
        let from = self.primary_of(range.start)?;
        let over = match installed.name {
            "valkey" => self.export(range, &from, to),
            _ => self.import(range, to),
        };
        over?;
        self.until_served(range, to)
    }

    fn import(&self, range: SlotRange, to: &Node) -> io::Result<()> {
        let id = self.members().run(to, cmd::cluster_migration_import([range]))?;
        until(format_args!("the slots {range} are imported"), || {
            let tasks = MigrationTasks::Id(id.clone());
            let tasks = self.members().run(to, cmd::cluster_migration_status(tasks))?;
            let Some(task) = tasks.first() else { return Ok(Err("it is not known".to_owned())) };
            match &*task.state {
                "completed" => Ok(Ok(())),
                "failed" | "canceled" => Err(over(range, &task.state, &task.last_error)),
                state => Ok(Err(format!("it is at `{state}` {}", task.last_error))),
            }
        })
    }

    fn export(&self, range: SlotRange, from: &Node, to: &Node) -> io::Result<()> {
        let earlier = self.members().run(from, cmd::cluster_getslotmigrations())?;
        self.members().run(from, cmd::cluster_migrateslots([SlotMove::to(&to.id, [range])]))?;
        until(format_args!("the slots {range} are exported"), || {
            let migrations = self.members().run(from, cmd::cluster_getslotmigrations())?;
            let new = |name: &str| earlier.iter().all(|known| known.name != name);
            let Some(migration) = migrations.iter().find(|one| new(&one.name)) else {
                return Ok(Err("it is not known".to_owned()));
            };
            match &*migration.state {
                "success" => Ok(Ok(())),
                "failed" | "canceled" => Err(over(range, &migration.state, &migration.message)),
                state => Ok(Err(format!("it is at `{state}` {}", migration.message))),
            }
        })
    }

    /// Returns when every node that runs knows that `node` serves the slots, and since which epoch: one that was
    /// told by hand alone would hear of it late, and take it for news, when the slots have moved on already.
    fn until_served(&self, range: SlotRange, node: &Node) -> io::Result<()> {
        self.until_all(format_args!("know that {node} serves the slots {range}"), |_, nodes| {
            match server_of(nodes, range) {
                Some(id) if id == node.id => {}
                other => return Err(format!("it is {}", other.unwrap_or("no single node"))),
            }
            let own = self.members().run(node, cmd::cluster_nodes());
            let own = own.map_err(|error| error.to_string())?;
            match (epoch_of(nodes, node), epoch_of(&own, node)) {
                (known, own) if known == own => Ok(()),
                (known, own) => Err(format!("it does since {known:?}, and not since {own:?}")),
            }
        })
    }
}

/// The id of the node that serves all of the slots.
fn server_of(nodes: &[ClusterNode], range: SlotRange) -> Option<&str> {
    let all = |own: &SlotRange| own.contains(range.start) && own.contains(range.end);
    let found = nodes.iter().find(|node| node.slots.iter().any(all));
    found.map(|node| &*node.id)
}

fn epoch_of(nodes: &[ClusterNode], node: &Node) -> Option<u64> {
    nodes.iter().find(|known| known.id == node.id).map(|known| known.config_epoch)
}

fn over(range: SlotRange, state: &str, why: &str) -> io::Error {
    io::Error::other(format!("the migration of the slots {range} ended as `{state}`: {why}"))
}
