//! What must hold at each call that starts or stops an instance, whatever goes wrong around it.
//!
//! It is looked at from the cloud's side: by what the caller has been told, and by what is true.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use shared::cloud::Metric;
use shared::config::Config;
use shared::model::{Instance, InstanceId, InstanceState, Series};
use shared::noise;
use shared::sim::Sim;

use crate::core::Function;

/// People's bytes that a datapoint must have, and be above what the health check can send: then there is no other
/// way to read it. Below that bound the floor is learned, and a page can be taken for noise (see decision 14).
const SHOWS: f64 = 40_000.0;
/// Older metrics tell nothing about now.
pub(crate) const STALE: TimeDelta = TimeDelta::minutes(20);
/// The share of the idle time that must have been observed. The decision takes 80 % of whole periods; at the edges one
/// of them may be missing.
const OBSERVED: f64 = 0.65;
/// What is decided now was read within a tick's time.
const TICK: TimeDelta = TimeDelta::minutes(5);

/// What an environment has been told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// As what each instance was shown last, and when.
    pub(crate) shown: HashMap<InstanceId, (DateTime<Utc>, Instance)>,
    /// Of the metrics that were read last: when, and all that could be read then.
    pub(crate) metrics: HashMap<Metric, (DateTime<Utc>, Option<Series>)>,
    /// The health check was disabled when it was read last: nobody looks, and there are no samples.
    pub(crate) unwatched: bool,
}

impl Function {
    /// How old the look at an instance may be that it is started by. The starter looks again after 2 s; the stopper
    /// has the whole of its tick for it, of which the last 50 s are left for the report.
    fn looks_back(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Starter => 3,
            Self::Stopper => 255,
        })
    }
}

/// The laws that a start breaks which was asked for at this time.
pub(crate) fn start(
    shown: Option<&(DateTime<Utc>, Instance)>,
    by: Function,
    asked_at: DateTime<Utc>,
    config: &Config,
) -> Vec<String> {
    let Some((shown_at, instance)) = shown else { return vec!["StartInstances of what was never seen".into()] };
    let old = asked_at - *shown_at;
    broken(vec![
        (instance.state != InstanceState::Stopped, format!("StartInstances of what was seen {:?}", instance.state)),
        (old > by.looks_back(), format!("StartInstances by a look of {} s ago", old.num_seconds())),
        (tag_holds(instance, "catnap:hold", asked_at), "StartInstances of what is on hold".into()),
        (config.dry_run, "StartInstances in a dry run".into()),
    ])
}

/// Whether a tag was shown that says `true`, or a time that is still to come.
fn tag_holds(instance: &Instance, tag: &str, now: DateTime<Utc>) -> bool {
    let until = |value: &String| DateTime::parse_from_rfc3339(value).is_ok_and(|until| now < until);
    instance.tags.get(tag).is_some_and(|value| value == "true" || until(value))
}

/// The laws that a stop breaks.
pub(crate) fn stop(sim: &Sim, instance: &Instance, told: &Told, config: &Config) -> Vec<String> {
    let (now, idle) = (sim.now(), config.policy.idle);
    let age = now - instance.launched_at;
    let mut laws = vec![
        (
            age < idle,
            format!(
                "StopInstances {} min after the launch, with IdleMinutes {}",
                age.num_minutes(),
                idle.num_minutes()
            ),
        ),
        (config.dry_run, "StopInstances in a dry run".into()),
        (
            config.keep_awake.at(now - TICK).is_some() && config.keep_awake.at(now).is_some(),
            "StopInstances inside a keep-awake window".into(),
        ),
    ];
    for tag in ["catnap:protect", "catnap:keep-awake-until"] {
        let holds = told.shown.get(&instance.id).is_some_and(|(_, shown)| tag_holds(shown, tag, now));
        laws.push((holds, format!("StopInstances against the tag {tag}")));
    }
    let read = |metric: &Metric| {
        let (at, series) = told.metrics.get(metric)?;
        series.as_ref().filter(|_| now - *at <= TICK).map(|series| (*at, series))
    };
    let network_in = Metric::NetworkIn { instance: instance.id.clone(), period: instance.network_in_period() };
    let Some((asked_at, series)) = read(&network_in) else {
        laws.push((true, "StopInstances without a look at NetworkIn".into()));
        return broken(laws);
    };
    let known_until = series.newest_complete(asked_at).map(|point| series.end_of(point));
    let Some(known_until) = known_until else {
        laws.push((true, "StopInstances without a datapoint of NetworkIn".into()));
        return broken(laws);
    };
    let since = known_until - idle;
    let old = asked_at - known_until;
    laws.push((old > STALE, format!("StopInstances by metrics of {} min ago", old.num_minutes())));
    let seen = series.points.iter().filter(|point| point.at >= since && series.end_of(point) <= known_until).count();
    let expected = (idle.as_seconds_f64() / series.period.as_seconds_f64()).floor();
    let share = f64::from(u32::try_from(seen).unwrap_or(u32::MAX)) / expected;
    laws.push((share < OBSERVED, format!("StopInstances with {seen} of {expected} datapoints of the idle time")));
    let check = config.health_check_id.as_ref().and_then(|id| sim.health_check_config(id));
    let bound = noise::health_check_bound(check.as_ref(), series.period);
    let shown = |at| series.points.iter().any(|point| point.at == at && point.value > bound);
    for people in sim.people(&network_in, since - series.period) {
        let counts = people.value >= SHOWS && series.end_of(&people) > since && shown(people.at);
        laws.push((counts, format!("StopInstances against people's {:.0} KB at {}", people.value / 1e3, people.at)));
    }
    let health = config.health_check_id.clone().and_then(|id| read(&Metric::HealthStatus(id)));
    let health_known_until = health.and_then(|(_, health)| Some(health.end_of(health.points.last()?)));
    let unknown = health_known_until.is_none_or(|until| asked_at - until > STALE);
    laws.push((unknown && !told.unwatched, "StopInstances without a sample of its health".into()));
    let sick = health.zip(health_known_until).is_some_and(|((_, health), until)| is_sick(health, until - idle));
    // Nobody can reach what is sick, so those who wait do not keep it.
    let tag = instance.tags.get("catnap:host").and_then(|tag| tag.parse().ok());
    let host = tag.filter(|_| config.instance_id.is_none()).unwrap_or_else(|| config.app_domain.clone());
    let presence = [Metric::Busy(host.clone()), Metric::Visits(host)];
    for metric in presence.into_iter().take(if sick { 1 } else { 2 }) {
        match read(&metric) {
            None => laws.push((true, format!("StopInstances without a look at {metric:?}"))),
            Some((asked_at, series)) => {
                let sign = series.newest(|point| point.value > 0.0).map(|point| series.end_of(point));
                let counts = sign.is_some_and(|end| asked_at - end < idle);
                laws.push((counts, format!("StopInstances against {metric:?} of {sign:?}")));
            }
        }
    }
    broken(laws)
}

/// Whether it was watched since then, and never well. What was not seen is not taken for sickness.
fn is_sick(health: &Series, since: DateTime<Utc>) -> bool {
    let samples = || health.points.iter().filter(|point| point.at >= since);
    let seen = f64::from(u32::try_from(samples().count()).unwrap_or(u32::MAX));
    let until = health.points.last().map_or(since, |point| health.end_of(point));
    let expected = (until - since).as_seconds_f64() / health.period.as_seconds_f64();
    seen > 0.0 && seen >= OBSERVED * expected && samples().all(|point| point.value == 0.0)
}

fn broken(laws: Vec<(bool, String)>) -> Vec<String> {
    laws.into_iter().filter_map(|(broken, law)| broken.then_some(law)).collect()
}
