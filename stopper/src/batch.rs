//! What is asked of CloudWatch, packed into as few calls as its limits allow.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};
use shared::cloud::Metric;

/// Metrics that one GetMetricData takes (CloudWatch API Reference).
const METRICS: usize = 500;
/// Datapoints that one GetMetricData gives; more would come in further calls (CloudWatch API Reference).
const POINTS: i64 = 100_800;

/// One metric that is wanted, and what for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query<For> {
    pub(crate) metric: Metric,
    /// From when on it is needed.
    pub(crate) from: DateTime<Utc>,
    pub(crate) wanted_for: For,
}

/// What is asked in one call.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch<For> {
    /// A call has one start for all of its metrics.
    pub(crate) from: DateTime<Utc>,
    /// The most datapoints that can come.
    pub(crate) points: i64,
    pub(crate) metrics: Vec<Metric>,
    /// What each of them is for.
    pub(crate) wanted_for: Vec<For>,
}

/// Packs queries, given by target, into calls. Those of 500 targets stay together: should the time run out, all is
/// known of some targets rather than something of all.
pub(crate) fn pack<For>(targets: Vec<Vec<Query<For>>>, until: DateTime<Utc>) -> Vec<Batch<For>> {
    let mut batches = Vec::new();
    let mut targets = targets.into_iter().peekable();
    while targets.peek().is_some() {
        pack_together(targets.by_ref().take(METRICS).flatten().collect(), until, &mut batches);
    }
    batches
}

/// Those of one region and of like length go together: the earliest start of a call holds for all in it, so a short
/// one beside a long one brings datapoints that nobody needs.
fn pack_together<For>(mut queries: Vec<Query<For>>, until: DateTime<Utc>, batches: &mut Vec<Batch<For>>) {
    queries.sort_by_key(|query| (query.metric.is_global(), query.from, Reverse(query.metric.period())));
    let others = batches.len();
    for query in queries {
        if !batches[others..].last().is_some_and(|batch| batch.has_room_for(&query, until)) {
            batches.push(Batch { from: query.from, points: 0, metrics: Vec::new(), wanted_for: Vec::new() });
        }
        if let Some(batch) = batches.last_mut() {
            batch.points += points(&query.metric, batch.from, until);
            batch.metrics.push(query.metric);
            batch.wanted_for.push(query.wanted_for);
        }
    }
}

impl<For> Batch<For> {
    fn has_room_for(&self, query: &Query<For>, until: DateTime<Utc>) -> bool {
        self.metrics.len() < METRICS
            && self.metrics.last().is_some_and(|metric| metric.is_global() == query.metric.is_global())
            && self.points + points(&query.metric, self.from, until) <= POINTS
    }
}

/// The most datapoints that a metric can have in this time.
fn points(metric: &Metric, from: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let period = metric.period().num_seconds().max(1);
    ((until - from).max(TimeDelta::zero()).num_seconds() + period - 1) / period
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn until() -> DateTime<Utc> {
        "2026-03-01T20:03:20Z".parse().unwrap()
    }

    /// The four metrics of so many targets: NetworkIn of 200 points, the others of an hour and a half.
    fn fleet(count: usize, period: TimeDelta, quiet: impl Fn(usize) -> i64) -> Vec<Vec<Query<usize>>> {
        let since = |minutes: i64| until() - TimeDelta::minutes(minutes);
        let of = |index: usize| {
            let host: shared::model::HostName = format!("app{index}.example.com").parse().unwrap();
            let instance = format!("i-{index:017x}").parse().unwrap();
            let short = since(quiet(index) + 30);
            let long = short.min(until() - period * 200);
            let query = |metric, from| Query { metric, from, wanted_for: index };
            vec![
                query(Metric::NetworkIn { instance, period }, long),
                query(Metric::HealthStatus(format!("check-{index}").parse().unwrap()), short),
                query(Metric::Visits(host.clone()), short),
                query(Metric::Busy(host), short),
            ]
        };
        (0..count).map(of).collect()
    }

    const BASIC: TimeDelta = TimeDelta::minutes(5);

    #[test]
    fn ten_thousand_targets_take_eighty_calls_and_one_takes_two() {
        for (count, calls) in [(1, 2), (100, 3), (1_000, 8), (10_000, 80)] {
            assert_eq!(pack(fleet(count, BASIC, |_| 60), until()).len(), calls, "{count} targets");
        }
        // Each with an idle time of its own: hardly more.
        let mixed = pack(fleet(10_000, BASIC, |index| 15 + i64::try_from(index % 120).unwrap()), until());
        assert!(mixed.len() <= 83, "{}", mixed.len());
    }

    #[test]
    fn each_query_is_asked_once_in_its_region_early_enough_and_within_the_limits() {
        for (period, quiet) in [(BASIC, 60), (TimeDelta::minutes(1), 60), (BASIC, 10_080), (TimeDelta::minutes(1), 5)] {
            let asked = fleet(1_203, period, |index| if index % 7 == 0 { quiet } else { 60 });
            let batches = pack(asked.clone(), until());
            for batch in &batches {
                assert!(batch.metrics.len() <= 500 && batch.points <= 100_800);
                let points: i64 = batch.metrics.iter().map(|metric| points(metric, batch.from, until())).sum();
                assert_eq!(points, batch.points);
                assert!(batch.metrics.iter().all(|metric| metric.is_global() == batch.metrics[0].is_global()));
            }
            assert_eq!(batches.iter().map(|batch| batch.metrics.len()).sum::<usize>(), 4 * asked.len());
            let mut answered = HashMap::new();
            for batch in batches {
                answered.extend(batch.metrics.into_iter().zip(batch.wanted_for).map(|it| (it, batch.from)));
            }
            for Query { metric, from, wanted_for } in asked.into_iter().flatten() {
                assert!(answered[&(metric, wanted_for)] <= from);
            }
        }
    }

    #[test]
    fn should_the_time_run_out_all_is_known_of_some_targets() {
        let mut known = HashMap::new();
        for batch in pack(fleet(2_000, BASIC, |_| 60), until()).into_iter().take(8) {
            batch.wanted_for.into_iter().for_each(|index| *known.entry(index).or_insert(0) += 1);
        }
        assert_eq!((known.len(), known.values().all(|metrics| *metrics == 4)), (1_000, true));
    }

    #[test]
    fn a_metric_that_no_call_can_hold_has_one_of_its_own_and_comes_in_pages() {
        let queries = fleet(2, TimeDelta::minutes(1), |_| 100_800);
        assert_eq!(pack(queries, until()).len(), 8);
    }
}
