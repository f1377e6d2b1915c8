//! Past traffic, for `catnap plan`.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use shared::cloud::{Cloud, Metric};
use shared::overrides::HealthCheckRef;

use super::{Account, SetUp, SetUpError, of_port};
use crate::plan::Found;
use crate::recording::Recording;

/// Datapoints of one minute are kept for so many days (CloudWatch User Guide, "Metrics retention").
const MINUTES_ARE_KEPT: i64 = 15;

impl Account {
    /// NetworkIn of the instance's last days, a name for it, and what is set for the app.
    pub(crate) async fn traffic(
        &self,
        set_up: &SetUp,
        now: DateTime<Utc>,
        days: i64,
    ) -> Result<(String, Recording, Found), SetUpError> {
        let (instance, overrides) = self.instance(set_up).await?;
        let period = if days < MINUTES_ARE_KEPT { instance.network_in_period() } else { TimeDelta::minutes(5) };
        let metric = Metric::NetworkIn { instance: instance.id.clone(), period };
        let from = now - TimeDelta::days(days);
        let from = from.duration_trunc(TimeDelta::minutes(5)).unwrap_or(from);
        let series = self.cloud.metrics(std::slice::from_ref(&metric), from, now).await;
        let series = series.map_err(|error| SetUpError::Unread(of_port(&error)))?.pop().flatten();
        let series = series.filter(|series| series.points.len() > 1);
        let series = series.ok_or_else(|| SetUpError::NoTraffic(instance.id.clone(), days))?;
        let health_check = match &overrides.health_check {
            HealthCheckRef::Id(id) => self.cloud.health_check(id).await.ok(),
            HealthCheckRef::MeantNone | HealthCheckRef::Unknown => None,
        };
        let schedule = set_up.stack.as_ref().and_then(|stack| stack.parameters.get("Schedule"));
        let found = Found {
            policy: overrides.policy,
            every: schedule
                .and_then(|schedule| Some(crate::doctor::period(schedule)?.num_minutes()))
                .filter(|minutes| *minutes > 0),
            health_check,
            keep_awake: overrides.keep_awake,
            hourly_price: set_up.config()?.hourly_price,
        };
        Ok((format!("{} ({})", set_up.host, instance.id), Recording { series }, found))
    }
}
