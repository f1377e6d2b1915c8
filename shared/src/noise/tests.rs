use proptest::prelude::*;

use super::*;
use crate::model::Point;

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
            let check = HealthCheckConfig::new(kind, interval_seconds, regions);
            let bound = health_check_bound(Some(&check), TimeDelta::minutes(5)) / 1_000.0;
            assert!(bound >= typical * 1.3, "{kind:?} {regions} regions {interval_seconds} s: {bound} KB");
            assert!(bound <= typical * 2.0, "{kind:?} {regions} regions {interval_seconds} s: {bound} KB");
        }
    }
}

#[test]
fn under_detailed_monitoring_a_minute_holds_a_fifth_and_one_more_round() {
    let minute = health_check_bound(Some(&check()), TimeDelta::minutes(1));
    let five = health_check_bound(Some(&check()), TimeDelta::minutes(5));
    assert!(minute > five / 5.0 && minute < five / 2.0, "{minute} of {five}");
}

#[test]
fn what_checkers_usually_send_is_never_taken_for_a_pause_of_theirs() {
    for (kind, row) in MEASURED_KB {
        for ((regions, interval), typical) in [(3, 30), (3, 10), (8, 30), (8, 10)].into_iter().zip(row) {
            let check = HealthCheckConfig::new(kind, interval, regions);
            for minutes in [1, 5] {
                let usual = typical * 1_000.0 * f64::from(minutes) / 5.0;
                let pause = health_check_least(Some(&check), TimeDelta::minutes(minutes.into()));
                let of = format!("{pause} of {usual} {kind:?} {regions} regions {interval} s, {minutes} minutes");
                assert!((0.65 * usual..0.75 * usual).contains(&pause), "{of}");
            }
        }
    }
}

#[test]
fn without_a_check_only_scanners_are_noise() {
    assert_eq!(health_check_bound(None, TimeDelta::minutes(5)), SCANNERS);
}

fn check() -> HealthCheckConfig {
    HealthCheckConfig::new(CheckKind::Http, 30, 3)
}

fn bound() -> f64 {
    health_check_bound(Some(&check()), TimeDelta::minutes(5))
}

/// What the checkers of a usual check send in five minutes, a little more or less by turns.
fn noise(index: i64) -> f64 {
    [30_400.0, 31_000.0, 31_600.0, 30_900.0, 31_100.0, 30_600.0, 31_500.0][index.rem_euclid(7) as usize]
}

fn at(index: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(5) * i32::try_from(index).unwrap()
}

/// `count` datapoints of five minutes.
fn series(count: i64, value: impl Fn(i64) -> f64) -> Series {
    let points = (0..count).map(|index| Point { at: at(index), value: value(index) });
    Series { period: TimeDelta::minutes(5), points: points.collect() }
}

fn left_out(idle: TimeDelta) -> LeftOut {
    LeftOut { idle, boot: TimeDelta::minutes(5), pauses: false }
}

fn floor_of(series: &Series) -> Floor {
    let known_until = series.points.last().map_or(at(0), |point| series.end_of(point));
    floor(Some(&check()), series, known_until, left_out(AN_HOUR))
}

fn learned(series: &Series) -> f64 {
    let floor = floor_of(series);
    assert_eq!(floor.source, Source::Learned, "{floor:?}");
    floor.bytes
}

/// 16 hours.
const LONG: i64 = 192;
const LIGHT_PAGE: f64 = 4_400.0;

#[test]
fn below_the_bound_it_learns_what_the_checkers_really_send() {
    let floor = learned(&series(LONG, noise));
    assert!(floor > 31_600.0 && floor < 31_000.0 + LIGHT_PAGE, "{floor}, the bound is {}", bound());
    // After an idle hour, too.
    assert_eq!(learned(&series(15, noise)).round(), floor.round());
    assert_eq!(floor_of(&series(9, noise)), Floor { bytes: bound(), source: Source::Bound });
    assert_eq!(floor_of(&series(0, noise)).source, Source::Bound);
}

#[test]
fn visitors_do_not_raise_it() {
    let quiet = learned(&series(LONG, noise));
    for (page, each) in [(LIGHT_PAGE, 2), (LIGHT_PAGE, 3), (90_000.0, 2), (90_000.0, 20)] {
        let used = learned(&series(LONG, |index| noise(index) + if index % each == 0 { page } else { 0.0 }));
        assert!((used - quiet).abs() < 1_000.0, "{page} in each {each}th: {used}, and {quiet} without");
    }
}

/// Visitors in five minutes who come by themselves, two and a half of them in the mean.
fn steady(index: i64) -> f64 {
    f64::from([2, 4, 1, 3, 2, 5, 0, 3, 2, 1, 4, 3, 2, 6, 1, 2, 3, 0, 4, 2, 3, 1, 5, 2][index.rem_euclid(24) as usize])
}

#[test]
fn those_who_work_on_do_not_become_their_own_noise() {
    let at_work = |index| noise(index) + LIGHT_PAGE * steady(index);
    // Quiet for an hour before the nap of Friday, and at work since Monday morning.
    let (friday, monday) = (13, 800);
    let points = (0..friday).chain(monday..monday + 90);
    let value = |index| if index < friday { noise(index) } else { at_work(index) };
    let points = points.map(|index| Point { at: at(index), value: value(index) }).collect();
    let floor = learned(&Series { period: TimeDelta::minutes(5), points });
    assert!(floor < 31_600.0 + LIGHT_PAGE, "{floor}: one visitor is seen");
    // Where no calm has ever been seen, the bound is the most that it can come to.
    assert!(floor_of(&series(90, at_work)).bytes <= bound());
}

/// Never calm: up and down by some KB from one datapoint to the next.
fn restless(index: i64) -> f64 {
    (index * 37).rem_euclid(101) as f64 * 160.0
}

#[test]
fn noise_that_has_become_restless_is_learned_as_soon_as_the_calm_one_is_no_longer_of_late() {
    // An agent that comes and goes was installed seventeen hours ago.
    let value = |index| noise(index) + if index < 100 { 0.0 } else { restless(index) };
    let floor = floor_of(&series(100 + 205, value));
    assert!(floor.bytes > 45_000.0, "{floor:?}");
}

#[test]
fn what_an_earlier_health_check_sent_teaches_nothing_of_the_present_one() {
    let check = HealthCheckConfig::new(CheckKind::Https, 10, 8);
    let long_ago = (0..100).map(|index| Point { at: at(index), value: 14_000.0 });
    let since_this_morning = (800..850).map(|index| Point { at: at(index), value: 470_000.0 + 2.0 * restless(index) });
    let points = long_ago.chain(since_this_morning).collect();
    let series = Series { period: TimeDelta::minutes(5), points };
    let floor = super::floor(Some(&check), &series, at(850), left_out(AN_HOUR));
    assert!(floor.bytes > 490_000.0, "{floor:?}");
}

#[test]
fn a_floor_is_no_less_watchful_for_a_calm_stretch() {
    // At work since the morning, and three quarters of an hour in which a tab asked for the same again and again.
    let at_work = |index: i64| LIGHT_PAGE * steady(index);
    let value = |index| noise(index) + if (40..49).contains(&index) { 13_000.0 } else { at_work(index) };
    let without = |index| noise(index) + at_work(index);
    assert!(floor_of(&series(90, value)).bytes <= floor_of(&series(90, without)).bytes + 1_000.0);
}

#[test]
fn a_fleet_shares_what_it_looks_back() {
    let minutes = |period, targets| look_back(AN_HOUR, TimeDelta::minutes(period), targets).num_minutes();
    assert_eq!((minutes(5, 1), minutes(5, 24), minutes(5, 0)), (7 * 1_440, 7 * 1_440, 7 * 1_440));
    assert_eq!((minutes(5, 100), minutes(5, 10_000)), (2_500, 1_000));
    assert_eq!((minutes(1, 1), minutes(1, 1_000)), (400, 400));
    assert_eq!(look_back(TimeDelta::days(10), TimeDelta::minutes(5), 1), TimeDelta::days(10) + AN_HOUR);
}

#[test]
fn above_the_bound_it_learns_what_has_been_flat_for_hours() {
    let agent = |index| 120_000.0 + noise(index);
    assert_eq!(floor_of(&series(35, agent)).source, Source::Bound, "less than two hours before the last");
    let floor = learned(&series(40, agent));
    assert!(floor > agent(2) && floor < agent(2) + LIGHT_PAGE, "{floor}");
    // The idle time is judged, and not learned from.
    let patient = |series: &Series, hours| {
        let known_until = series.end_of(series.points.last().unwrap());
        super::floor(Some(&check()), series, known_until, left_out(TimeDelta::hours(hours))).source
    };
    assert_eq!((patient(&series(40, agent), 1), patient(&series(40, agent), 2)), (Source::Learned, Source::Bound));
    assert_eq!(
        (patient(&series(LONG, agent), 12), patient(&series(LONG, agent), 100_000)),
        (Source::Learned, Source::Bound)
    );
    // In use for a part of the time, the agent is the floor still.
    let used = learned(&series(LONG, |index| agent(index) + if index % 3 == 0 { 90_000.0 } else { 0.0 }));
    assert!((used - floor).abs() < 1_000.0, "{used} {floor}");
}

#[test]
fn above_the_bound_it_learns_nothing_from_people() {
    // A rush that never ends, up and down by a third and more; and an upload that began two hours ago.
    let rush = series(LONG, |index| 400_000.0 + 300_000.0 * (index as f64 * 0.7).sin());
    assert_eq!(floor_of(&rush), Floor { bytes: bound(), source: Source::Bound });
    let upload = series(LONG, |index| noise(index) + if index >= LONG - 24 { 300_000.0 } else { 0.0 });
    assert!(learned(&upload) < bound());
    // So many people that the crowd is flat.
    let crowd = series(LONG, |index| 4_700_000.0 + 90_000.0 * (index % 7) as f64);
    assert_eq!(floor_of(&crowd).source, Source::Bound);
}

#[test]
fn rough_traffic_reaches_no_higher_than_flat_allows() {
    // Half of it as flat as may be, and the rest anywhere above.
    let rough = series(LONG, |index| if index % 2 == 0 { 200_000.0 } else { 210_000.0 + index as f64 * 1_000.0 });
    assert!(floor_of(&rough).bytes <= FLAT * 215_000.0);
}

#[test]
fn boots_part_datapoints_and_the_newest_one_teach_nothing() {
    let quiet = learned(&series(LONG, noise));
    // Each third hour it sleeps; the first datapoint has the boot, the last before the sleep a part of the noise.
    let mut naps = series(LONG, |index| match index % 36 {
        0 => 2_000_000.0,
        1 => 900_000.0,
        23 => 9_000.0,
        _ => noise(index),
    });
    naps.points.retain(|point| (point.at - DateTime::UNIX_EPOCH).num_minutes() / 5 % 36 < 24);
    assert!((learned(&naps) - quiet).abs() < 500.0, "{}", learned(&naps));
    let newest = series(LONG, |index| if index == LONG - 1 { 4_000.0 } else { noise(index) });
    assert!((learned(&newest) - quiet).abs() < 100.0);
    let single = series(LONG, |index| if index == 100 { 5_000_000.0 } else { noise(index) });
    assert!((learned(&single) - quiet).abs() < 100.0);
}

#[test]
fn a_floor_that_changes_is_learned_within_the_time_looked_back_on() {
    let rises = |since: i64| series(600, move |index| noise(index) + if index >= 600 - since { 12_000.0 } else { 0.0 });
    assert!(learned(&rises(100)) < 36_000.0, "not yet: this may be people");
    assert!(learned(&rises(200)) > 43_000.0);
    let falls = |since: i64| series(600, move |index| noise(index) + if index < 600 - since { 12_000.0 } else { 0.0 });
    assert!(learned(&falls(24)) < 36_000.0, "at once, for that only makes it more watchful");
}

#[test]
fn one_minute_is_learned_from_like_five() {
    let points = (0..400).map(|index| Point { at: at(0) + TimeDelta::minutes(index), value: noise(index) / 5.0 });
    let minutes = Series { period: TimeDelta::minutes(1), points: points.collect() };
    let known_until = at(80);
    let floor = floor(Some(&check()), &minutes, known_until, left_out(AN_HOUR));
    assert_eq!(floor.source, Source::Learned);
    assert!(floor.bytes > 6_320.0 && floor.bytes < 6_200.0 + LIGHT_PAGE, "{floor:?}");
}

/// A spike of 3 MB in each hour, at its 24th minute.
fn hourly(hours: i64) -> Series {
    series(hours * 12, |index| noise(index) + if index % 12 == 5 { 3_000_000.0 } else { 0.0 })
}

fn last_activity(series: &Series, floor: &Floor) -> Option<DateTime<Utc>> {
    series.newest(|point| is_activity(series, point, floor)).map(|point| point.at)
}

fn last_activity_of(series: &Series) -> Option<DateTime<Utc>> {
    last_activity(series, &floor_of(series))
}

#[test]
fn spikes_to_the_minute_in_each_hour_are_a_machines() {
    // Five hours have to have shown it: the fifth spike counts, the sixth does not.
    assert_eq!(last_activity_of(&hourly(5)), Some(at(4 * 12 + 5)));
    assert_eq!(last_activity_of(&hourly(6)), Some(at(4 * 12 + 5)));
    assert_eq!(last_activity_of(&hourly(16)), Some(at(4 * 12 + 5)));
    let newest = 15 * 12 + 5;
    let but = |change: fn(&mut Series)| {
        let mut series = hourly(16);
        change(&mut series);
        last_activity_of(&series)
    };
    assert_eq!(but(|it| it.points[185].value += 100_000.0), Some(at(newest)), "somebody came as well");
    assert_eq!(but(|it| it.points[186].value += 400_000.0), Some(at(newest + 1)), "it does not stand alone");
    assert_eq!(but(|it| it.points.truncate(186)), Some(at(newest)), "what follows is not known yet");
    assert_eq!(but(|it| it.points.swap_remove(5 + 12 * 12).value = 0.0), Some(at(newest)), "one hour is missing");
    let crowd = |it: &mut Series| {
        it.points.iter_mut().for_each(|point| point.value += if point.at.timestamp() % 1_200 == 0 { 9e4 } else { 0.0 })
    };
    assert_ne!(but(crowd), Some(at(4 * 12 + 5)), "in a busy hour anything may come again");
    let set = Floor { bytes: 50_000.0, source: Source::Set };
    assert_eq!(last_activity(&hourly(16), &set), Some(at(newest)));
}

prop_compose! {
    fn any_traffic()(
        base in 0.0..300_000.0f64,
        samples in prop::collection::vec(prop_oneof![
            4 => (0.9..1.1f64).prop_map(Some),
            2 => (1.0..3.0f64).prop_map(Some),
            1 => Just(None),
        ], 0..220),
    ) -> Series {
        let point = |(index, factor): (usize, Option<f64>)| Some(Point { at: at(index as i64), value: base * factor? });
        Series { period: TimeDelta::minutes(5), points: samples.into_iter().enumerate().filter_map(point).collect() }
    }
}

proptest! {
    #[test]
    fn it_is_above_the_bound_only_where_the_traffic_was_flat(series in any_traffic()) {
        let floor = floor_of(&series);
        if floor.bytes > bound() {
            let until = series.end_of(series.points.last().unwrap()) - AN_HOUR;
            let mut old: Vec<_> = series.points.iter().filter(|it| series.end_of(it) <= until).map(|it| it.value).collect();
            old.sort_by(f64::total_cmp);
            prop_assert!(old.len() >= 24);
            // Fewer are learned from than there are: the quantiles may differ by some samples.
            prop_assert!(floor.bytes <= (FLAT * old[old.len() * 3 / 4]).ceil());
        }
    }

    #[test]
    fn a_longer_idle_time_has_no_higher_floor(series in any_traffic(), hours in 0i64..10, more in 0i64..10) {
        let known_until = series.points.last().map_or(at(0), |point| series.end_of(point));
        let floor = |hours| {
            floor(Some(&check()), &series, known_until, left_out(TimeDelta::hours(hours))).bytes
        };
        prop_assert!(floor(hours + more) <= floor(hours));
    }

    #[test]
    fn no_floor_is_lower_than_what_was_there_all_the_time(series in any_traffic()) {
        let least = series.points.iter().map(|point| point.value).fold(f64::INFINITY, f64::min);
        prop_assert!(floor_of(&series).bytes >= least.min(bound()));
    }

    #[test]
    fn what_is_above_the_floor_and_no_spike_by_the_hour_is_activity(series in any_traffic(), more in 1.0..1e7f64) {
        let mut series = series;
        if let Some(index) = series.points.len().checked_sub(2) {
            let floor = floor_of(&series);
            series.points[index].value = floor.bytes + more;
            series.points[index + 1].value = 0.0;
            let since = last_activity(&series, &floor);
            prop_assert!(since >= Some(series.points[index].at));
        }
    }
}

#[test]
fn checkers_that_send_more_than_is_known_of_them_are_noise_however_many_they_are() {
    for (kind, interval, regions) in [(CheckKind::Http, 30, 3), (CheckKind::Https, 10, 8)] {
        let check = HealthCheckConfig::new(kind, interval, regions);
        let most = health_check_bound(Some(&check), TimeDelta::minutes(5)) * 1.02;
        let series = series(LONG, |index| most + noise(index) - 31_000.0);
        let floor = floor(Some(&check), &series, at(LONG), left_out(AN_HOUR));
        assert!(floor.source == Source::Learned && floor.bytes > most + 600.0, "{floor:?}");
    }
}
