//! Transfers between accounts: each is applied as a whole or not at all, so that the sum stays.

use std::time::Duration;

use redis_core::{Command, Commands, Execute, QueueCommands, cmd};

use super::tally::Tally;
use super::{Running, Soak};
use crate::client::Client;
use crate::scenario::Failure;
use crate::subject::Subject;

const ACCOUNTS: usize = 8;
const EACH: i64 = 1_000_000;

pub(super) struct Bank;

fn account(n: usize) -> String {
    format!("account:{}", n % ACCOUNTS)
}

fn all() -> Vec<String> {
    (0..ACCOUNTS).map(account).collect()
}

pub(super) async fn start<S: Subject>(
    soak: &Soak<S>,
    direct: &Client<S>,
    running: &mut Running,
) -> Result<Bank, Failure> {
    for account in all() {
        // The server may be gone at any time.
        direct.execute(cmd::set(account, EACH).into_cmd().idempotent()).await?;
    }
    for n in 0..3 {
        running.spawn::<S>(format!("transfers:{n}"), transfers(soak.clone(), n));
    }
    for n in 0..3 {
        running.spawn::<S>(format!("watched transfers:{n}"), watched(soak.clone(), n));
    }
    let (direct, soak) = (direct.clone(), soak.clone());
    running.spawn::<S>("auditor", audits(soak, direct));
    Ok(Bank)
}

async fn transfers<S: Subject>(soak: Soak<S>, mut n: usize) {
    while soak.goes_on().await {
        n += 5;
        let (from, to) = (account(n), account(n / ACCOUNTS + n + 1));
        let mut pipeline = soak.client.pipeline();
        let queued = pipeline.decrby(from, 3).incrby(to, 3);
        // What is in doubt was applied or not: the sum is the same.
        let _ = soak.tally.note(queued.execute::<(i64, i64)>().await);
    }
}

/// The same with WATCH: reads, decides, and starts over when somebody was faster.
async fn watched<S: Subject>(soak: Soak<S>, mut n: usize) {
    while soak.goes_on().await {
        n += 3;
        let (from, to) = (account(n), account(n / ACCOUNTS + n + 2));
        if from == to {
            continue;
        }
        let keys = [&*from, &*to];
        let moved = soak.client.transaction::<((), ()), i64, _>(&keys, |mut watched| {
            let (from, to) = (from.clone(), to.clone());
            async move {
                let has: i64 = watched.get(&from).await?.unwrap_or(0);
                let other: i64 = watched.get(&to).await?.unwrap_or(0);
                let transaction = watched.multi().set(from, has - 5).set(to, other + 5);
                Ok(transaction.returning(has))
            }
        });
        let _ = soak.tally.note(moved.await);
    }
}

async fn sum<S: Subject>(client: &Client<S>) -> redis_core::Result<i64> {
    let balances: Vec<Option<i64>> = client.mget(all()).await?;
    Ok(balances.into_iter().flatten().sum())
}

/// Looks at the sum all the time: transfers are never seen half done.
async fn audits<S: Subject>(soak: Soak<S>, direct: Client<S>) {
    while soak.goes_on().await {
        S::sleep(Duration::from_millis(20)).await;
        if let Ok(sum) = sum(&direct).await {
            wrong(&soak.tally, sum);
        }
    }
}

fn wrong(tally: &Tally, sum: i64) {
    let expected = EACH * ACCOUNTS as i64;
    if sum != expected {
        tally.violation(format!("all accounts have {sum} instead of {expected}"));
    }
}

impl Bank {
    pub(super) async fn check<S: Subject>(
        &self,
        direct: &Client<S>,
        tally: &Tally,
    ) -> Result<(), Failure> {
        wrong(tally, sum(direct).await?);
        Ok(())
    }
}
