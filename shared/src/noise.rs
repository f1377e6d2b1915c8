//! The noise floor of NetworkIn: what arrives although nobody visits.

use chrono::TimeDelta;

use crate::model::{CheckKind, HealthCheckConfig};

/// Checkers in each region: about two, ±30 % (measured; AWS does not document it).
const CHECKERS_PER_REGION: f64 = 2.0 * 1.3;
/// Bytes on the wire for one at IP level, where the instance's counter sees Ethernet.
const ETHERNET: f64 = 1.25;
/// Scanners, ARP, NTP and the like, for each five minutes.
const SCANNERS: f64 = 3_000.0;

/// The most that a target's own health check is known to add to NetworkIn in one period, in bytes.
///
/// Bytes received for each check, measured at IP level: TCP 226, HTTP 510, HTTPS 994 (TLS 1.2).
/// Traffic above this bound was not made by the health check.
///
/// ```
/// use chrono::TimeDelta;
/// use shared::model::{CheckKind, HealthCheckConfig};
/// use shared::noise;
///
/// let check = HealthCheckConfig { kind: CheckKind::Http, interval_seconds: 30, regions: 3, disabled: false };
/// let bound = noise::health_check_bound(Some(&check), TimeDelta::minutes(5));
/// assert!((45_000.0..55_000.0).contains(&bound)); // typically 31 KB: a view of a 1 MB page adds about 45 KB
/// ```
#[must_use]
pub fn health_check_bound(check: Option<&HealthCheckConfig>, period: TimeDelta) -> f64 {
    let seconds = period.as_seconds_f64();
    let from_checkers = check.map_or(0.0, |check| {
        let bytes = match check.kind {
            CheckKind::Tcp => 226.0,
            CheckKind::Http => 510.0,
            CheckKind::Https => 994.0,
            CheckKind::Other => 0.0,
        };
        // A checker's n-th request may fall just inside the period: one more than the quotient.
        let requests = seconds / f64::from(check.interval_seconds.max(1));
        let requests = if seconds < 300.0 { requests + 1.0 } else { requests };
        bytes * requests * f64::from(check.regions) * CHECKERS_PER_REGION * ETHERNET
    });
    from_checkers + SCANNERS * (seconds / 300.0).max(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Typical KB in five minutes by kind: (3 regions 30 s, 3 regions 10 s, 8 regions 30 s, 8 regions 10 s).
    const MEASURED_KB: [(CheckKind, [f64; 4]); 3] = [
        (CheckKind::Tcp, [14.0, 41.0, 36.0, 108.0]),
        (CheckKind::Http, [31.0, 92.0, 82.0, 245.0]),
        (CheckKind::Https, [60.0, 179.0, 159.0, 477.0]),
    ];

    #[test]
    fn the_bound_holds_every_measured_row_with_thirty_per_cent_more_checkers() {
        for (kind, row) in MEASURED_KB {
            for ((regions, interval_seconds), typical) in [(3, 30), (3, 10), (8, 30), (8, 10)].into_iter().zip(row) {
                let check = HealthCheckConfig { kind, interval_seconds, regions, disabled: false };
                let bound = health_check_bound(Some(&check), TimeDelta::minutes(5)) / 1_000.0;
                assert!(bound >= typical * 1.3, "{kind:?} {regions} regions {interval_seconds} s: {bound} KB");
                assert!(bound <= typical * 2.0, "{kind:?} {regions} regions {interval_seconds} s: {bound} KB");
            }
        }
    }

    #[test]
    fn under_detailed_monitoring_a_minute_holds_a_fifth_and_one_more_round() {
        let check = HealthCheckConfig { kind: CheckKind::Http, interval_seconds: 30, regions: 3, disabled: false };
        let minute = health_check_bound(Some(&check), TimeDelta::minutes(1));
        let five = health_check_bound(Some(&check), TimeDelta::minutes(5));
        assert!(minute > five / 5.0 && minute < five / 2.0, "{minute} of {five}");
    }

    #[test]
    fn without_a_check_only_scanners_are_noise() {
        assert_eq!(health_check_bound(None, TimeDelta::minutes(5)), SCANNERS);
    }
}
