//! MULTI and WATCH: what waits for EXEC, and which clients' transactions have lost their ground.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    commands::{self, Call, Done},
    store,
};

/// Who watches which keys, and whose have changed since.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watchers: BTreeMap<(usize, Bytes), BTreeSet<u64>>,
    watched: BTreeMap<u64, BTreeSet<(usize, Bytes)>>,
    dirty: BTreeSet<u64>,
}

impl Watches {
    pub(super) fn watch(&mut self, client: u64, database: usize, key: &Bytes) {
        let key = (database, store::owned(key));
        self.watchers.entry(key.clone()).or_default().insert(client);
        self.watched.entry(client).or_default().insert(key);
    }

    /// The client's transaction is over, or it is gone.
    pub(super) fn unwatch(&mut self, client: u64) {
        self.dirty.remove(&client);
        for key in self.watched.remove(&client).unwrap_or_default() {
            if let Some(clients) = self.watchers.get_mut(&key) {
                clients.remove(&client);
                if clients.is_empty() {
                    self.watchers.remove(&key);
                }
            }
        }
    }

    /// The key has changed, by whomever.
    pub(super) fn touch(&mut self, database: usize, key: &Bytes) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(clients) = self.watchers.get(&(database, key.clone())) {
            self.dirty.extend(clients);
        }
    }

    pub(super) fn is_dirty(&self, client: u64) -> bool {
        self.dirty.contains(&client)
    }

    fn of(&self, client: u64) -> Vec<(usize, Bytes)> {
        self.watched.get(&client).into_iter().flatten().cloned().collect()
    }
}

/// The commands between MULTI and EXEC.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// None outside.
    queued: Option<Vec<Vec<Bytes>>>,
    /// One could not be queued, so none will run.
    broken: bool,
}

impl Transaction {
    pub(super) fn is_open(&self) -> bool {
        self.queued.is_some()
    }

    pub(super) fn queue(&mut self, args: &[Bytes]) {
        self.queued.get_or_insert_default().push(args.to_vec());
    }

    /// A command was refused before it could be queued.
    pub(super) fn refuse(&mut self) {
        self.broken |= self.is_open();
    }
}

pub(super) fn multi(call: &mut Call<'_>) -> Done {
    if call.session.transaction.is_open() {
        return Err("ERR MULTI calls can not be nested".into());
    }
    call.session.transaction.queued = Some(Vec::new());
    call.ok()
}

pub(super) fn discard(call: &mut Call<'_>) -> Done {
    if !call.session.transaction.is_open() {
        return Err("ERR DISCARD without MULTI".into());
    }
    end(call);
    call.ok()
}

pub(super) fn exec(call: &mut Call<'_>) -> Done {
    let client = call.session.about.id;
    for (database, key) in call.world.store.watches.of(client) {
        call.world.store.keys(database, call.now).expire(&key);
    }
    let dirty = call.world.store.watches.is_dirty(client);
    let Some((queued, broken)) = end(call) else {
        return Err("ERR EXEC without MULTI".into());
    };
    if broken {
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    if dirty {
        call.reply().null_array();
        return Ok(());
    }
    call.reply().array(queued.len());
    call.world.transactions += 1;
    call.session.executing = Some(call.world.transactions);
    for args in queued {
        commands::run(&mut Call {
            args: &args,
            world: call.world,
            session: call.session,
            out: call.out,
            now: call.now,
        });
    }
    call.session.executing = None;
    Ok(())
}

pub(super) fn watch(call: &mut Call<'_>) -> Done {
    if call.session.transaction.is_open() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    let (client, database) = (call.session.about.id, call.session.about.database);
    for key in &call.args[1..] {
        // A key that has expired by now does not change when it is removed.
        call.keys().expire(key);
        call.world.store.watches.watch(client, database, key);
    }
    call.ok()
}

pub(super) fn unwatch(call: &mut Call<'_>) -> Done {
    call.world.store.watches.unwatch(call.session.about.id);
    call.ok()
}

/// Ends the transaction and the watch; what was queued, and whether it is broken.
pub(super) fn end(call: &mut Call<'_>) -> Option<(Vec<Vec<Bytes>>, bool)> {
    let ended = std::mem::take(&mut call.session.transaction);
    let queued = ended.queued?;
    call.world.store.watches.unwatch(call.session.about.id);
    Some((queued, ended.broken))
}
