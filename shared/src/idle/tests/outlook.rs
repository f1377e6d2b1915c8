//! What would change a decision, in words and as data.

use super::super::{Health, Knowledge, Obstacle, Outlook, knowledge, outlook};
use super::*;
use crate::noise::Source;

fn told(story: &Story) -> Outlook {
    outlook(&story.facts(), &story.decide())
}

fn words(story: &Story) -> String {
    told(story).words
}

#[test]
fn what_was_used_says_when_it_naps() {
    // Ended an hour ago, and metrics are five minutes late.
    let active = idle().but(|it| it.active(30));
    let outlook = told(&active);
    assert_eq!(outlook.words, "naps at the first tick after 12:40 UTC if it stays quiet");
    assert_eq!((outlook.naps_at_the_earliest, outlook.but_for), (Some(noon() + minutes(40)), None));
    let visitors = idle().but(|it| it.visits = one(10));
    assert_eq!(words(&visitors), "naps at the first tick after 12:51 UTC if it stays quiet");
    let busy = idle().but(|it| it.busy = one(10));
    assert_eq!(words(&busy), "naps at the first tick after 12:56 UTC if it stays quiet");
    let fresh = idle().but(|it| it.instance.launched_at = noon() - minutes(3));
    assert_eq!(words(&fresh), "naps at the first tick after 13:02 UTC if it stays quiet");
}

/// As the stopper has it, which asks CloudWatch for nothing where it does not matter.
#[test]
fn what_nobody_looked_at_is_not_told() {
    let unseen = |change: fn(&mut Story)| idle().but(|it| it.network_in.points.clear()).but(change);
    let fresh = unseen(|it| it.instance.launched_at = noon() - minutes(3));
    assert_eq!(words(&fresh), "naps at the first tick after 12:57 UTC at the earliest");
    let protected = unseen(|it| it.protect = true);
    assert_eq!(words(&protected), "would nap once nobody uses it, but for the tag catnap:protect");
    let until = unseen(|it| it.keep_awake_until = Some(noon() + minutes(90)));
    assert_eq!(words(&until), "naps at the first tick after 13:30 UTC at the earliest");
    let endless = unseen(|it| it.keep_awake = "00:00-24:00 UTC".parse().unwrap());
    assert!(words(&endless).starts_with("would nap once nobody uses it, but for its keep-awake window"));
    for story in [fresh, protected, until, endless] {
        assert_eq!(knowledge(&story.facts(), &story.decide()), None, "neither a floor nor a quiet time is known");
    }
    let blind = unseen(|_| ());
    assert!(knowledge(&blind.facts(), &blind.decide()).is_some(), "it was asked for, and there is none");
}

#[test]
fn it_naps_then_if_nothing_more_happens() {
    for story in
        [idle().but(|it| it.active(30)), idle().but(|it| it.visits = one(10)), idle().but(|it| it.busy = one(10))]
    {
        let at = told(&story).naps_at_the_earliest.unwrap();
        let later = |now: DateTime<Utc>| {
            story.but(|it| {
                let ahead = (now - it.now).num_minutes();
                it.now = now;
                let newest = it.network_in.points.last().unwrap().at;
                let next = (1..=ahead / 5).map(|turn| Point { at: newest + minutes(5 * turn), value: NOISE });
                it.network_in.points.extend(next);
                let status = (1..=ahead).map(|turn| Point { at: noon() + minutes(turn - 4), value: 1.0 });
                if let HealthCheck::Seen { status: series, .. } = &mut it.health_check {
                    series.points.extend(status);
                }
            })
        };
        let tick = at + minutes((5 - (at - noon()).num_minutes() % 5) % 5);
        assert!(naps(&later(tick)), "{:?} at {tick}", later(tick).decide());
        assert!(!naps(&later(tick - minutes(5))));
    }
}

#[test]
fn what_stands_in_the_way_is_named() {
    let protected = idle().but(|it| it.protect = true);
    assert_eq!(words(&protected), "would nap now, but for the tag catnap:protect");
    assert_eq!(told(&protected).but_for, Some(Obstacle::ProtectTag));
    let used = protected.but(|it| it.active(30));
    assert_eq!(
        words(&used),
        "would nap at the first tick after 12:40 UTC if it stays quiet, but for the tag catnap:protect"
    );
    let unwatched = idle().but(|it| it.health_check = HealthCheck::None);
    assert!(words(&unwatched).contains("but for the missing health check"), "{}", words(&unwatched));
    let blind = idle().but(|it| it.busy = None);
    assert_eq!(words(&blind), "naps when Visits and Busy can be read and nobody was there");
    assert_eq!((told(&blind).but_for, told(&blind).naps_at_the_earliest), (Some(Obstacle::Missing), None));
}

#[test]
fn windows_and_times_are_looked_ahead_to() {
    let window = |text: &str| idle().but(|it| it.keep_awake = text.parse().unwrap());
    assert_eq!(words(&window("Sun 10:00-14:00 UTC")), "naps at the first tick after 14:00 UTC if it stays quiet");
    // Quiet at 12:40, and by then inside the next window.
    let next = window("Sun 12:30-24:00 UTC + Mon 00:00-08:00 UTC").but(|it| it.active(30));
    assert_eq!(words(&next), "naps at the first tick after 2026-03-02 08:00 UTC if it stays quiet");
    let two = window("Sun 10:00-14:00 UTC + Sun 14:05-15:00 UTC");
    assert_eq!(words(&two), "naps at the first tick after 15:00 UTC if it stays quiet");
    assert_eq!(told(&window("00:00-24:00 UTC")).but_for, Some(Obstacle::EndlessWindow));
    let until = idle().but(|it| it.keep_awake_until = Some(noon() + minutes(90)));
    assert_eq!(words(&until), "naps at the first tick after 13:30 UTC if it stays quiet");
}

#[test]
fn what_sleeps_says_who_wakes_it() {
    assert_eq!(words(&idle()), "a visit wakes it");
    let sleeping = asleep("Mon 08:00-18:00 Europe/Berlin");
    assert_eq!(
        words(&sleeping),
        "a visit wakes it, or the first tick after 2026-03-02 07:00 UTC, when a keep-awake window begins"
    );
    assert_eq!(told(&sleeping).wakes_at, "2026-03-02T07:00:00Z".parse().ok());
    assert_eq!(words(&sleeping.but(|it| it.hold = true)), "a visit would wake it, but for the tag catnap:hold");
    let due = asleep("Sun 10:00-14:00 UTC");
    assert_eq!(words(&due), "naps at the first tick after 14:00 UTC if nobody comes");
}

#[test]
fn the_facts_of_a_decision_are_told() {
    let told = |story: &Story| knowledge(&story.facts(), &story.decide());
    let Some(Knowledge { floor, known_until, quiet_since, health, regular_spike }) = told(&idle()) else {
        panic!("none")
    };
    assert_eq!(floor.source, Source::Learned);
    assert_eq!((known_until, quiet_since), (Some(noon() - minutes(5)), noon() - TimeDelta::days(1)));
    assert_eq!((health, regular_spike), (Health::Healthy, None));
    assert_eq!(told(&asleep("Sun 10:00-14:00 UTC")), None);
    let job = idle().but(|it| {
        it.network_in = points(5, 600, 5, NOISE);
        let hourly = |point: &&mut Point| (noon() - point.at).num_minutes() % 60 == 30;
        it.network_in.points.iter_mut().filter(hourly).for_each(|point| point.value = 3e6);
    });
    assert!(naps(&job), "{:?}", job.decide());
    assert_eq!(told(&job).and_then(|told| told.regular_spike), Some(3e6));
}
