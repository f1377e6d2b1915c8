//! The world of an instance whose visitors may be led by the health check.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::cloud::{Cloud, Metric};
use shared::config::Config;
use shared::model::{CheckKind, HealthCheckConfig, InstanceId, InstanceState, Point};
use shared::sim::{Phases, Sim};
use shared::steer::{Lead, Stance, Steering};
use stopper::Stopper;
use tokio::time::Instant;

use crate::common::{Lines, check_id};

/// One instance that has been running quietly and healthily for five hours.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) lines: Lines,
    pub(crate) id: InstanceId,
}

impl World {
    pub(crate) fn new() -> Self {
        let sim = Sim::new("2026-03-01T20:00:00Z".parse().unwrap());
        let id = sim.add_instance(&"app.example.com".parse().unwrap(), Phases::default());
        let launched_at = sim.now() - TimeDelta::hours(5);
        sim.change(&id, |it| {
            it.state = InstanceState::Running;
            it.launched_at = launched_at;
        });
        let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
        sim.add_health_check(&check_id(0), config);
        let world = Self { sim, lines: Lines::default(), id };
        world.quiet(300);
        world
    }

    /// Metrics of the last minutes: nobody came, and the app was well.
    pub(crate) fn quiet(&self, minutes: i64) {
        self.traffic(minutes, 31_000.0);
        for ago in 1..=minutes {
            let at = self.sim.now() - TimeDelta::minutes(ago);
            self.sim.put(Metric::HealthStatus(check_id(0)), Point { at, value: 1.0 });
        }
    }

    pub(crate) fn traffic(&self, minutes: i64, bytes: f64) {
        let metric = Metric::NetworkIn { instance: self.id.clone(), period: TimeDelta::minutes(5) };
        for ago in (1..=minutes / 5).rev().map(|number| number * 5) {
            let at = self.sim.now() - TimeDelta::minutes(ago);
            self.sim.put(metric.clone(), Point { at, value: bytes });
        }
    }

    pub(crate) fn stopper(&self, steer: &str) -> Stopper<&Sim, &Lines> {
        self.stopper_of(Some(&self.id), steer)
    }

    /// One that finds its targets by tag, where there is no id.
    pub(crate) fn stopper_of(&self, id: Option<&InstanceId>, steer: &str) -> Stopper<&Sim, &Lines> {
        let config = Config::read(|name| match name {
            "CATNAP_APP_DOMAIN" => Some("app.example.com".into()),
            "CATNAP_INSTANCE_ID" => id.map(ToString::to_string),
            "CATNAP_HEALTH_CHECK_ID" => Some(check_id(0).to_string()),
            "CATNAP_STEER" => Some(steer.into()),
            _ => None,
        });
        Stopper::new(config.unwrap(), &self.sim, &self.lines)
    }

    /// A tick of a cold stopper: what it did.
    pub(crate) async fn tick(&self) -> Value {
        self.tick_of(&self.stopper("true")).await
    }

    pub(crate) async fn tick_of(&self, stopper: &Stopper<&Sim, &Lines>) -> Value {
        stopper.tick(self.sim.now(), Instant::now() + Duration::from_secs(300)).await.unwrap();
        self.lines.0.lock().unwrap().iter().rfind(|record| record["app"] == "app.example.com").unwrap().clone()
    }

    /// Five quiet minutes without checkers, and a tick.
    pub(crate) async fn five_minutes_later(&self) -> Value {
        self.sim.advance(TimeDelta::minutes(5));
        self.traffic(5, 700.0);
        self.tick().await
    }

    pub(crate) async fn steering(&self) -> Steering {
        (&self.sim).steering(&check_id(0)).await.unwrap()
    }

    pub(crate) async fn stance(&self) -> Stance {
        self.steering().await.stance()
    }

    pub(crate) async fn lead(&self, lead: Lead) {
        let steering = self.steering().await;
        (&self.sim).steer(&check_id(0), &steering, lead, self.sim.now()).await.unwrap();
    }

    pub(crate) fn state(&self) -> InstanceState {
        self.sim.instance(&self.id).state
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.sim.now()
    }
}
