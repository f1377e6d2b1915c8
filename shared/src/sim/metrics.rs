//! CloudWatch: what is put in, and when that can be read.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cloud::Metric;
use crate::model::{Point, Series};

/// How long datapoints of a minute are kept (CloudWatch User Guide, "Metrics retention").
const KEPT: TimeDelta = TimeDelta::days(15);

/// Which metrics something concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// NetworkIn.
    NetworkIn,
    /// HealthCheckStatus, which is in us-east-1.
    HealthStatus,
    /// What Catnap counts itself: `Visits` and `Busy`.
    Own,
}

impl Which {
    fn of(metric: &Metric) -> Self {
        match metric {
            Metric::NetworkIn { .. } => Self::NetworkIn,
            Metric::HealthStatus(_) => Self::HealthStatus,
            Metric::Visits(_) | Metric::Busy(_) => Self::Own,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Store {
    series: HashMap<Metric, Vec<Point>>,
    delay: [TimeDelta; 3],
    /// Of these metrics no datapoint arrives.
    lost: [bool; 3],
    unreadable: Vec<Metric>,
}

impl Store {
    pub(super) fn set_delay(&mut self, which: Which, delay: TimeDelta) {
        self.delay[which as usize] = delay;
    }

    pub(super) fn lose(&mut self, which: Which, lost: bool) {
        self.lost[which as usize] = lost;
    }

    pub(super) fn set_unreadable(&mut self, metric: Metric) {
        self.unreadable.push(metric);
    }

    pub(super) fn set_readable(&mut self, metric: &Metric) {
        self.unreadable.retain(|other| other != metric);
    }

    /// Puts a point in the place of any other of its time.
    pub(super) fn put(&mut self, metric: Metric, point: Point) {
        let points = self.series.entry(metric).or_default();
        let index = points.partition_point(|other| other.at < point.at);
        match points.get_mut(index).filter(|other| other.at == point.at) {
            Some(other) => *other = point,
            None => points.insert(index, point),
        }
    }

    /// A point arrives from the world itself, if it does.
    pub(super) fn arrive(&mut self, metric: Metric, point: Point) {
        if self.lost[Which::of(&metric) as usize] {
            return;
        }
        let points = self.series.entry(metric).or_default();
        match points.last_mut().filter(|last| last.at == point.at) {
            Some(last) => last.value += point.value,
            None => points.push(point),
        }
        if points.first().is_some_and(|first| point.at - first.at > KEPT + TimeDelta::days(1)) {
            points.drain(..points.partition_point(|old| point.at - old.at > KEPT));
        }
    }

    /// What can be read at `now`; none for a metric that cannot be read in full.
    pub(super) fn read(
        &self,
        metric: &Metric,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<Series> {
        if self.unreadable.contains(metric) {
            return None;
        }
        let period = metric.period();
        let points = self.series.get(metric).map_or(&[][..], Vec::as_slice);
        let readable_until = now - self.delay[Which::of(metric) as usize];
        let first = points.partition_point(|point| point.at < from);
        let end = points.partition_point(|point| point.at < until && point.at + period <= readable_until);
        Some(Series { period, points: points[first..end.max(first)].to_vec() })
    }
}
