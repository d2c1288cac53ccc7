//! What stands for TLS where the crate is built without it.

use std::sync::Arc;

use redis_core::{Config, Result};

use crate::runtime::Runtime;

/// The runtime as it is; settings that want TLS are refused.
pub(crate) fn secured(config: &Config, runtime: Arc<dyn Runtime>) -> Result<Arc<dyn Runtime>> {
    config.refuse_tls().map(|()| runtime)
}
