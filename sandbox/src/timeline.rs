//! A record to be read: what changed, without what only went on.

use serde_json::Value;

use crate::event::{Event, Got, What};

/// The lines of a timeline. Polls, and ticks that decide what the one before did, are left out.
#[must_use]
pub fn timeline(events: &[Event]) -> Vec<String> {
    let (mut last_tick, mut last_answer) = (Value::Null, Value::Null);
    let mut tells = |what: &What| match what {
        What::Stopper { record } if record.get("decision").is_some() => {
            let said =
                Value::from(vec![record["decision"].clone(), record["reason"].clone(), record["outcome"].clone()]);
            std::mem::replace(&mut last_tick, said) != last_tick
        }
        What::Stopper { record } => record.get("message").is_some(),
        What::Starter { record } => {
            let said = Value::from(vec![record["action"].clone(), record["reason"].clone()]);
            let is_new = said != last_answer;
            last_answer = said;
            is_new
        }
        What::Request { got, .. } => *got == Got::App || *got == Got::GatewayError || *got == Got::Nothing,
        _ => true,
    };
    events.iter().filter(|event| tells(&event.what)).map(ToString::to_string).collect()
}
