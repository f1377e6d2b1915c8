//! What must hold in each scenario holds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sandbox::{SCENARIOS, timeline};

#[test]
fn what_must_hold_in_each_scenario_holds() {
    let mut broken = Vec::new();
    for scenario in SCENARIOS {
        let played = scenario.play().unwrap();
        assert!(played.held.len() >= 3, "{} asks for too little", scenario.name);
        let lines = timeline(&played.events);
        let fails = played.held.into_iter().filter(|(_, holds)| !holds);
        broken.extend(fails.map(|(hold, _)| format!("{}: {hold}", scenario.name)));
        assert!(lines.len() > 5 && lines.len() < 2_000, "{}: {} lines", scenario.name, lines.len());
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
