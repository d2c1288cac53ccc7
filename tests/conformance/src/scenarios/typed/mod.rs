//! Every builder with every option: what is sent is accepted, and the reply decodes to its value. A file a group.

use crate::scenario::Scenario;
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    Vec::new()
}
