//! The bugs that the simulation has to find: each a few edits below `crates/redis-core/src`.

/// A bug on purpose.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    /// File, what is in it exactly once, and what takes its place.
    pub(super) edits: &'static [(&'static str, &'static str, &'static str)],
}

pub(super) const fn mutant(
    name: &'static str,
    edits: &'static [(&'static str, &'static str, &'static str)],
) -> Mutant {
    Mutant { name, edits }
}

pub(super) static MUTANTS: &[Mutant] = &[
    mutant(
        "abandon-forgets-the-slot",
        &[(
            "connection/mod.rs",
            "                } else {\n                    pending.abandoned = true;\n                    self.overdue += 1;\n                }",
            "                } else {\n                    self.pending.remove(at);\n                }",
        )],
    ),
    mutant(
        "abandon-takes-back-what-is-half-written",
        &[("connection/mod.rs", "let unsent = pending.len <= end;", "let unsent = end > 0;")],
    ),
    mutant(
        "late-reply-is-delivered",
        &[(
            "connection/mod.rs",
            "self.events.push_back(Event::Failed { ticket, error, deadline });\n                pending.abandoned = true;\n                self.overdue += usize::from(!unsent);",
            "self.events.push_back(Event::Failed { ticket, error, deadline });",
        )],
    ),
    mutant(
        "expire-takes-the-wrong-bytes",
        &[("connection/mod.rs", "let end = self.out.len() - behind;", "let end = self.out.len();")],
    ),
    mutant(
        "written-is-said-to-be-unsent",
        &[(
            "connection/mod.rs",
            "let error = if unsent { not_sent.clone() } else { maybe.clone() };",
            "let error = not_sent.clone();",
        )],
    ),
    mutant(
        "half-a-pipeline-is-said-to-be-unsent",
        &[(
            "connection/mod.rs",
            "(pending.single && behind < self.out.len())",
            "(pending.replies > 0 && behind < self.out.len())",
        )],
    ),
    mutant(
        "push-is-taken-for-a-reply",
        &[(
            "connection/mod.rs",
            "if kind == FrameKind::Push || self.role != Role::Commands {",
            "if self.role == Role::Subscriber {",
        )],
    ),
    mutant(
        "first-reply-ends-a-pipeline",
        &[("connection/mod.rs", "let done = front.replies == 0;", "let done = front.replies < 9;")],
    ),
    mutant(
        "limits-are-not-looked-at",
        &[("connection/mod.rs", "if !self.has_room() {", "if self.is_closed() {")],
    ),
    mutant(
        "command-overtakes-the-handshake",
        &[
            (
                "connection/mod.rs",
                "State::Handshake(_) => self.greeting.transmit(),",
                "State::Handshake(_) if !self.greeting.is_empty() => self.greeting.transmit(),",
            ),
            (
                "connection/mod.rs",
                "State::Handshake(_) => self.greeting.advance(n),",
                "State::Handshake(_) if !self.greeting.is_empty() => self.greeting.advance(n),",
            ),
        ],
    ),
    mutant(
        "refused-handshake-goes-on",
        &[("connection/handshake.rs", "if step == Step::SetInfo {", "if step != Step::Hello {")],
    ),
    mutant(
        "database-is-not-selected",
        &[("connection/handshake.rs", "if config.database != 0 {", "if config.database == 99 {")],
    ),
    mutant(
        "old-server-is-not-given-the-name",
        &[(
            "connection/handshake.rs",
            "        if let Some(name) = &config.client_name {\n            self.say(",
            "        if let Some(name) = &config.client_name.as_ref().filter(|_| !self.fallback && config.database == 9) {\n            self.say(",
        )],
    ),
    mutant(
        "backlog-is-dropped",
        &[(
            "session.rs",
            "        if conn.submit(now, &mut self.backlog).is_ok() {",
            "        self.backlog.clear(|_, _| {});\n        if conn.submit(now, &mut self.backlog).is_ok() {",
        )],
    ),
    mutant(
        "deadlines-do-not-count-in-the-backlog",
        &[(
            "session.rs",
            "                self.expire_backlog(now);\n                self.connect_if_due(now);\n            }\n            Link::Over => {}",
            "                self.connect_if_due(now);\n            }\n            Link::Over => {}",
        )],
    ),
    mutant(
        "abandon-forgets-the-backlog",
        &[("session.rs", "_ => drop(self.backlog.take_back(ticket)),", "_ => {}")],
    ),
    mutant(
        "single-connection-comes-back",
        &[("session.rs", "if self.closing || self.once {", "if self.closing {")],
    ),
    mutant(
        "lost-link-stays",
        &[(
            "session.rs",
            "            self.link = Link::Down;\n            self.old_at = None;",
            "            self.old_at = None;",
        )],
    ),
    mutant(
        "request-on-a-link-being-replaced-is-lost",
        &[(
            "session.rs",
            "            Link::Open(_) if self.renewing && !self.closing => self.put_off(now, batch),\n",
            "",
        )],
    ),
    mutant(
        "sign-of-life-is-not-counted-as-a-reply-to-come",
        &[(
            "connection/mod.rs",
            "        if self.role == Role::Commands {\n            self.overdue += 1;",
            "        if self.role == Role::Subscriber {\n            self.overdue += 1;",
        )],
    ),
    mutant(
        "place-is-taken-out-of-turn",
        &[(
            "pool.rs",
            "if first.is_none() || first == turn {",
            "if first.is_none() || first != turn {",
        )],
    ),
    mutant(
        "request-taken-back-leaves-its-bytes",
        &[(
            "batch.rs",
            "                self.out.remove(start..end);\n                self.entries.remove(at);",
            "                self.entries.remove(at);",
        )],
    ),
    mutant(
        "expired-request-leaves-its-bytes",
        &[("batch.rs", "                out.remove(start..start + entry.len);\n", "")],
    ),
    mutant(
        "subscriptions-are-not-restored",
        &[("pubsub/registry.rs", "for restore in [true, false] {", "for restore in [false] {")],
    ),
    mutant(
        "unsubscribed-is-still-wanted",
        &[(
            "pubsub/registry.rs",
            "let before = self.wanted.remove(&(family, name.clone()));\n            self.forget(before);\n        }\n        self.ask",
            "let _ = name;\n        }\n        self.ask",
        )],
    ),
    mutant(
        "restore-stops-at-half",
        &[(
            "pubsub/registry.rs",
            "let names = wanted.collect();",
            "let names = wanted.take(1).collect();",
        )],
    ),
    mutant(
        "what-may-have-run-is-sent-again",
        &[(
            "retry.rs",
            "(ErrorKind::Io | ErrorKind::Timeout, Delivery::MaybeExecuted) => self.unit.repeatable,",
            "(ErrorKind::Io | ErrorKind::Timeout, Delivery::MaybeExecuted) => true,",
        )],
    ),
    mutant(
        "retry-forgets-what-may-have-run",
        &[("retry.rs", "Delivery::NotSent if self.doubtful =>", "Delivery::NotSent if false =>")],
    ),
    mutant(
        "retry-does-not-look-at-the-deadline",
        &[(
            "retry.rs",
            "Some(deadline) if now + wait >= deadline => Err(self.last(error)),",
            "Some(deadline) if now + wait >= deadline && self.failed == 99 => Err(self.last(error)),",
        )],
    ),
    mutant(
        "lost-exec-is-tried-again",
        &[(
            "watch.rs",
            "if error.is_disconnected() && error.delivery() == Delivery::NotSent {",
            "if error.is_disconnected() {",
        )],
    ),
    mutant(
        "watch-error-is-final",
        &[(
            "watch.rs",
            "if !error.is_watch() || error.delivery() == Delivery::MaybeExecuted {",
            "if error.is_watch() || error.delivery() == Delivery::MaybeExecuted {",
        )],
    ),
    mutant(
        "write-lost-before-multi-is-run-again",
        &[(
            "watch.rs",
            "if !error.is_watch() || error.delivery() == Delivery::MaybeExecuted {",
            "if !error.is_watch() {",
        )],
    ),
    mutant(
        "write-lost-before-multi-is-said-to-be-unsent",
        &[("watch.rs", "let delivery = if repeatable {", "let delivery = if repeatable || true {")],
    ),
    mutant(
        "unwatch-does-not-end-the-watch",
        &[(
            "watch.rs",
            "Cmd::raw(\"UNWATCH\").idempotent()",
            "Cmd::raw(\"CLIENT ID\").idempotent()",
        )],
    ),
    mutant(
        "watch-is-not-sent",
        &[(
            "watch.rs",
            "let cmd = Cmd::raw(\"WATCH\").any_keys(keys);",
            "let cmd = Cmd::raw(\"EXISTS\").any_keys(keys);",
        )],
    ),
    mutant(
        "closing-gives-up-what-is-under-way",
        &[(
            "connection/mod.rs",
            "                self.state = State::Draining;\n                self.end_if_drained();",
            "                self.fail(closed());",
        )],
    ),
    mutant(
        "abandoned-transaction-takes-back-its-end",
        &[(
            "connection/mod.rs",
            "                if unsent {\n                    self.out.remove(end - pending.len..end);\n                    self.pending.remove(at);",
            "                if unsent || pending.replies > 1 && end > 0 {\n                    self.out.remove(end.saturating_sub(pending.len)..end);\n                    self.pending.remove(at);",
        )],
    ),
    mutant(
        "expired-transaction-takes-back-its-end",
        &[
            (
                "connection/mod.rs",
                "            if due && unsent {",
                "            if due && (unsent || pending.replies > 1 && start - self.out.len() < pending.len) {",
            ),
            (
                "connection/mod.rs",
                "                self.out.remove(end - pending.len..end);\n            } else {",
                "                self.out.remove(end.saturating_sub(pending.len)..end);\n            } else {",
            ),
        ],
    ),
    mutant(
        "bad-command-in-a-pipeline-is-sent",
        &[(
            "pipeline/mod.rs",
            "match queued.refused {",
            "match queued.refused.clone().filter(|_| false) {",
        )],
    ),
    mutant(
        "exec-is-read-one-reply-early",
        &[("pipeline/sent.rs", "if position <= sent.count {", "if position < sent.count {")],
    ),
    mutant(
        "transaction-is-sent-without-multi",
        &[(
            "pipeline/mod.rs",
            "        if atomic {\n            parts.push(Bytes::from_static(MULTI));\n        }",
            "        if atomic {\n            parts.push(Bytes::from_static(b\"*1\\r\\n$4\\r\\nPING\\r\\n\"));\n        }",
        )],
    ),
    mutant(
        "failed-connection-keeps-its-place",
        &[(
            "pool.rs",
            "    pub fn forget(&mut self) {\n        self.open -= 1;\n    }",
            "    pub fn forget(&mut self) {\n    }",
        )],
    ),
    mutant(
        "pool-has-no-limit",
        &[("pool.rs", "None if self.open < self.max => {", "None if self.open < usize::MAX => {")],
    ),
    mutant(
        "shrunk-pool-keeps-what-is-given-back",
        &[("pool.rs", "if old || self.open > self.max {", "if old {")],
    ),
    mutant(
        "shrunk-pool-keeps-what-is-idle",
        &[(
            "pool.rs",
            "let excess = self.open.saturating_sub(max).min(self.idle.len());",
            "let excess = 0;",
        )],
    ),
    mutant(
        "larger-pool-wakes-nobody",
        &[(
            "pool.rs",
            "let room = !self.idle.is_empty() || self.open < self.max;",
            "let room = !self.idle.is_empty();",
        )],
    ),
    mutant(
        "warming-up-goes-beyond-the-size",
        &[(
            "pool.rs",
            "let room = self.open < self.max && self.waiting.is_empty();",
            "let room = self.waiting.is_empty();",
        )],
    ),
    mutant(
        "missing-script-is-its-callers-business",
        &[("script.rs", "Some(\"NOSCRIPT\")).then", "Some(\"NOSUCH\")).then")],
    ),
    mutant(
        "script-is-sent-whole-without-its-number-of-keys",
        &[("script.rs", ".enumerate().skip(1)", ".enumerate().skip(2)")],
    ),
    mutant(
        "one-known-script-stands-for-all",
        &[(
            "script.rs",
            "self.0.iter().any(|known| known.sha1 == source.sha1)",
            "!self.0.is_empty()",
        )],
    ),
    mutant(
        "script-for-nobody-is-sent-by-its-hash",
        &[("command/mod.rs", "Ok(self.with_source().unwrap_or(self))", "Ok(self)")],
    ),
    mutant(
        "command-for-nobody-may-block",
        &[(
            "command/mod.rs",
            "        if self.is_blocking() {\n            let name",
            "        if false {\n            let name",
        )],
    ),
    mutant(
        "streamed-pipeline-starts-over",
        &[(
            "retry.rs",
            "Self { repeatable: false, ..Self::from(sent) }",
            "Self { ..Self::from(sent) }",
        )],
    ),
    mutant(
        "streamed-results-skip-places",
        &[("pipeline/each.rs", "self.handed_on += 1;", "self.handed_on += 2;")],
    ),
    mutant(
        "replies-behind-the-first-of-a-read-are-kept-back",
        &[(
            "connection/mod.rs",
            "                    self.handle_frame(&input[range.clone()], range, events);\n",
            "                    self.handle_frame(&input[range.clone()], range, events);\n                    if self.is_ready() {\n                        return used;\n                    }\n",
        )],
    ),
    mutant(
        "second-ignored-reply-is-handed-on",
        &[("pipeline/replies.rs", "        self.ignored = rest;\n", "        let _ = rest;\n")],
    ),
    mutant(
        "backlog-is-not-bounded",
        &[("pubsub/backlog.rs", "while self.published.bytes() > self.max\n", "while false\n")],
    ),
    mutant(
        "dropped-messages-are-counted-once",
        &[(
            "pubsub/backlog.rs",
            "self.dropped = Some((position, before + 1));",
            "self.dropped = Some((position, before.max(1)));",
        )],
    ),
    mutant(
        "link-is-not-wanted-again-after-it-was-given-up",
        &[("pubsub/backlog.rs", "self.held &= !self.is_empty();\n", "")],
    ),
    mutant(
        "refused-subscription-has-one-reply",
        &[(
            "connection/mod.rs",
            "                self.replies += 1;\n                true",
            "                true",
        )],
    ),
    mutant(
        "unwanted-is-asked-for-again",
        &[(
            "pubsub/registry.rs",
            "names.retain(|name| wanted(name).is_some_and(|wanted| wanted.asked == Some(number)));",
            "let _ = wanted;",
        )],
    ),
    mutant(
        "shared-name-has-one-holder",
        &[(
            "pubsub/shared.rs",
            "if holders.ids.is_empty() {",
            "if !holders.live || holders.ids.len() < 2 {",
        )],
    ),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace;

    #[test]
    fn every_mutant_fits_the_machines_as_they_are() {
        let core = MUTANTS.iter().map(|mutant| (mutant, "crates/redis-core/src"));
        let cluster = crate::simulate::cluster_mutants::MUTANTS;
        let cluster = cluster.iter().map(|mutant| (mutant, "crates/redis-cluster/src"));
        for (mutant, sources) in core.chain(cluster) {
            for (file, search, replace) in mutant.edits {
                let text = fs::read_to_string(workspace().join(sources).join(file)).unwrap();
                assert_eq!(text.matches(search).count(), 1, "{}: {search}", mutant.name);
                assert_ne!(search, replace, "{}", mutant.name);
            }
        }
    }
}
