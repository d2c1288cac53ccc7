//! Generated.
pub mod builders {
    use crate::command::{Cmd, ToArg};
    use crate::reply::FromReply;
    pub fn get<V: FromReply>(key: impl ToArg) -> Cmd<Option<V>> {
        Cmd::raw("GET").key(key)
    }
}
pub mod info {
    use crate::command::CommandInfo;
    pub static ALL: &[&CommandInfo] = &[];
}
pub mod commands {
    use crate::command::Execute;
    pub trait Commands: Execute {}
    impl<E: Execute> Commands for E {}
}
pub mod queue {
    use crate::command::Queue;
    pub trait QueueCommands: Queue {}
    impl<E: Queue> QueueCommands for E {}
}
