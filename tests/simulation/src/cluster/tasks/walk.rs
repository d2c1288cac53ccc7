//! Walks through all keys of the cluster.

use super::*;

impl World {
    pub(super) fn scan_on(&mut self, at: usize) -> Check {
        let (now, client) = (self.now, self.tasks[at].client);
        let Doing::Scan(scanning) = &mut self.tasks[at].doing else { return Ok(()) };
        let cluster = &mut self.clients[client].cluster;
        if let Some(mut running) = scanning.running.take() {
            let reply = running.exchange.take_reply();
            let told = match scanning.checks {
                true => {
                    let nodes = reply.and_then(|frame| decode::<Vec<ClusterNode>>(&frame));
                    scanning.scan.handle_check(now, cluster, nodes)
                }
                false => {
                    let page = reply.and_then(|frame| decode::<ScanPage<String>>(&frame));
                    scanning.scan.handle_page(now, cluster, page)
                }
            };
            if let Err(error) = told {
                if self.plan.is_quiet() && error.kind() != ErrorKind::Server {
                    return Err(format!("nothing could go wrong, and a scan failed: {error:?}"));
                }
                self.tasks[at].doing = Doing::Idle(now);
                return Ok(());
            }
        }
        let (node, cmd) = match scanning.scan.next_step(now, cluster) {
            ScanStep::Item(key) => {
                scanning.seen.insert(key);
                return Ok(());
            }
            ScanStep::Page(node, page) => {
                scanning.checks = false;
                (node, page.returning())
            }
            ScanStep::Check(node, check) => {
                scanning.checks = true;
                (node, check.returning())
            }
            ScanStep::Wait => {
                scanning.waits = true;
                return Ok(());
            }
            ScanStep::Done => {
                let keys = TAGS.iter().flat_map(|tag| {
                    let scans = (0..4).map(move |n| format!("{{{tag}}}scan{n}"));
                    scans.chain([format!("{{{tag}}}stable")])
                });
                let missed: Vec<_> = keys
                    .filter(|key| !scanning.seen.contains(key))
                    .filter(|key| !self.model.came_back(key, scanning.since))
                    .collect();
                if !missed.is_empty() {
                    return Err(format!(
                        "a scan has missed {missed:?}, which were there all along"
                    ));
                }
                self.note(|| format!("task {at}: a scan has seen all keys"));
                self.tasks[at].doing = Doing::Idle(now);
                return Ok(());
            }
        };
        let running = self.run(at, Commands::One(cmd), Target::Node(node), false);
        if let Doing::Scan(scanning) = &mut self.tasks[at].doing {
            scanning.running = running;
        }
        Ok(())
    }
}
