//! What the tests of a tick share.

use std::sync::Mutex;

use serde_json::Value;
use shared::model::HealthCheckId;
use shared::record::Sink;

/// Records, kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<Value>>);

impl Sink for &Lines {
    fn take(&self, line: String) {
        self.0.lock().unwrap().push(serde_json::from_str(&line).unwrap());
    }
}

pub(crate) fn check_id(index: usize) -> HealthCheckId {
    format!("check-{index}").parse().unwrap()
}
