//! CloudWatch: metrics.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric as CloudWatchMetric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use aws_smithy_types::DateTime as SmithyDateTime;
use chrono::{DateTime, TimeDelta, Utc};

use super::Aws;
use super::errors::cloud_error;
use crate::cloud::Metric;
use crate::model::{Point, Series};
use crate::record::NAMESPACE;
use crate::trouble::CloudError;

pub(super) async fn metrics(
    aws: &Aws,
    metrics: &[Metric],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Option<Series>>, CloudError> {
    let mut all: Vec<_> = metrics.iter().map(|metric| Reading::of(metric.period())).collect();
    let (global, of_region): (Vec<_>, Vec<_>) = (0..metrics.len()).partition(|index| metrics[*index].is_global());
    for (client, indices) in [(&aws.cloudwatch, of_region), (&aws.cloudwatch_of_route53, global)] {
        let queries: Vec<_> = indices.into_iter().map(|index| query(index, &metrics[index])).collect();
        if !queries.is_empty() {
            read(client, queries, (from, until), &mut all).await?;
        }
    }
    Ok(all.into_iter().map(Reading::whole).collect())
}

/// What has arrived of one metric so far.
struct Reading {
    series: Series,
    complete: bool,
    failed: bool,
}

impl Reading {
    fn of(period: TimeDelta) -> Self {
        Self { series: Series::empty(period), complete: false, failed: false }
    }

    fn take(&mut self, result: &MetricDataResult) {
        match result.status_code() {
            None | Some(StatusCode::Complete) => self.complete = true,
            Some(StatusCode::PartialData) => {} // more comes with the next page
            Some(_) => self.failed = true,      // it cannot be read
        }
        self.series.points.extend(points(result));
    }

    fn whole(mut self) -> Option<Series> {
        self.series.points.sort_by_key(|point| point.at);
        self.series.points.shrink_to_fit(); // ten thousand targets have millions of them
        (self.complete && !self.failed).then_some(self.series)
    }
}

async fn read(
    client: &Client,
    queries: Vec<MetricDataQuery>,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    all: &mut [Reading],
) -> Result<(), CloudError> {
    let seconds = |time: DateTime<Utc>| SmithyDateTime::from_secs(time.timestamp());
    let mut pages = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(seconds(from))
        .end_time(seconds(until))
        .scan_by(ScanBy::TimestampAscending)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| cloud_error("GetMetricData", &error))?;
        for result in page.metric_data_results() {
            let index = result.id().and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<usize>().ok());
            if let Some(reading) = index.and_then(|index| all.get_mut(index)) {
                reading.take(result);
            }
        }
    }
    Ok(())
}

fn points(result: &MetricDataResult) -> impl Iterator<Item = Point> {
    result
        .timestamps()
        .iter()
        .zip(result.values())
        .filter_map(|(at, value)| Some(Point { at: DateTime::from_timestamp(at.secs(), 0)?, value: *value }))
}

fn query(index: usize, metric: &Metric) -> MetricDataQuery {
    let (namespace, name, stat, (dimension, value)) = match metric {
        Metric::NetworkIn { instance, .. } => ("AWS/EC2", "NetworkIn", "Sum", ("InstanceId", instance.as_str())),
        Metric::HealthStatus(id) => ("AWS/Route53", "HealthCheckStatus", "Minimum", ("HealthCheckId", id.as_str())),
        Metric::Visits(host) => (NAMESPACE, "Visits", "Sum", ("App", host.as_str())),
        Metric::Busy(host) => (NAMESPACE, "Busy", "Sum", ("App", host.as_str())),
    };
    let metric_name = CloudWatchMetric::builder()
        .namespace(namespace)
        .metric_name(name)
        .dimensions(Dimension::builder().name(dimension).value(value).build());
    let period = i32::try_from(metric.period().num_seconds()).unwrap_or(300);
    let stat = MetricStat::builder().metric(metric_name.build()).period(period).stat(stat);
    MetricDataQuery::builder().id(format!("m{index}")).metric_stat(stat.build()).build()
}
