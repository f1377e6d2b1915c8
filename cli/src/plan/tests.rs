//! What `catnap plan` says that the stopper would have decided is what the stopper decides.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use clap::Parser;
use shared::cloud::{Cloud, Metric};
use shared::config::Config;
use shared::record::Sink;
use shared::sim::{Phases, Sim};
use stopper::Stopper;
use tokio::time::Instant;

use super::*;
use crate::recording;

#[derive(Parser)]
struct Given {
    #[command(flatten)]
    options: Options,
}

/// The stopper's records.
#[derive(Default)]
struct Lines(Mutex<Vec<serde_json::Value>>);

impl Sink for &Lines {
    fn take(&self, line: String) {
        self.0.lock().unwrap().push(serde_json::from_str(&line).unwrap());
    }
}

/// A recording of the field's, at whole five minutes as CloudWatch has them.
fn recording(name: &str) -> Recording {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/data").join(name);
    let mut recording = recording::read(name, &std::fs::read_to_string(file).unwrap()).unwrap();
    let off = recording.since().timestamp() % 300;
    recording.series.points.iter_mut().for_each(|point| point.at -= TimeDelta::seconds(off));
    recording
}

/// A replay takes its datapoints apart into minutes and puts them together again, so the last bit may differ.
fn is_same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs(),
        _ => one == other,
    }
}

/// The stopper's handler over the simulated cloud, tick by tick: `tests` says which decisions were compared.
async fn compare(name: &str, idle: i64, every: i64, delay: i64) -> usize {
    let recording = recording(name);
    let given =
        ["catnap", "--idle-minutes", &idle.to_string(), "--every", &every.to_string(), "--delay", &delay.to_string()];
    let plan = plan(name, &recording, &Given::parse_from(given).options);

    let sim = Sim::new(recording.since());
    sim.set_metric_delay(TimeDelta::minutes(delay));
    let at_once = Phases { pending: TimeDelta::zero(), app_start: TimeDelta::zero(), stopping: TimeDelta::zero() };
    let id = sim.add_instance(&"app.example.com".parse().unwrap(), at_once);
    sim.change(&id, |it| drop(it.tags.insert("catnap:health-check".into(), "none".into())));
    (&sim).start(&id).await.unwrap();
    sim.advance(TimeDelta::zero());
    let config = Config::read(|name| match name {
        "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
        "CATNAP_INSTANCE_ID" => Some(id.to_string()),
        "CATNAP_IDLE_MINUTES" => Some(idle.to_string()),
        _ => None,
    });
    let lines = Lines::default();
    let stopper = Stopper::new(config.unwrap(), &sim, &lines);
    let metric = Metric::NetworkIn { instance: id.clone(), period: TimeDelta::minutes(5) };

    let mut points = recording.series.points.iter().peekable();
    let mut wakes = plan.policies[0].slept.iter().filter_map(|slept| slept.until).peekable();
    for (now, expected) in &plan.decisions {
        // What happens before this tick: whoever came woke it, and what came in while it was awake is measured.
        while sim.now() < *now {
            sim.advance(TimeDelta::minutes(5).min(*now - sim.now()));
            while let Some(point) = points.next_if(|point| recording.series.end_of(point) <= sim.now()) {
                if sim.instance(&id).state == InstanceState::Running && sim.instance(&id).launched_at <= point.at {
                    sim.put(metric.clone(), *point);
                }
            }
            if wakes.next_if(|at| *at <= sim.now() && *at < *now).is_some() {
                (&sim).start(&id).await.unwrap();
                sim.advance(TimeDelta::zero());
            }
        }
        stopper.tick(*now, Instant::now() + Duration::from_secs(300)).await.unwrap();
        sim.advance(TimeDelta::zero());
        if wakes.next_if(|at| at == now).is_some() {
            (&sim).start(&id).await.unwrap();
            sim.advance(TimeDelta::zero());
        }
        let record = lines.0.lock().unwrap().drain(..).find(|record| record["app"] == "app.example.com").unwrap();
        let expected = serde_json::to_value(expected).unwrap();
        for (key, value) in expected.as_object().unwrap() {
            assert!(
                is_same(&record[key], value),
                "{key} of {name} at {now}, idle {idle}, every {every}: not {value} in {record}"
            );
        }
    }
    plan.decisions.len()
}

#[tokio::test(start_paused = true)]
async fn each_decision_is_the_one_that_the_stopper_makes_of_the_same_data() {
    let mut compared = 0;
    for (name, idle, every, delay) in
        [("networkin-cron.csv", 60, 5, 5), ("networkin-cron.csv", 30, 60, 10), ("networkin-busy.csv", 60, 15, 5)]
    {
        compared += compare(name, idle, every, delay).await;
    }
    assert!(compared > 4_500, "{compared}");
}
