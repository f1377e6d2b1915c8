use std::collections::BTreeMap;

use super::*;
use crate::model::CheckKind;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> DateTime<Utc> {
    noon() - TimeDelta::seconds(seconds)
}

fn steering(lead: Lead, version: i64, marks: &[Mark]) -> Steering {
    let config = HealthCheckConfig {
        kind: CheckKind::Http,
        interval_seconds: 30,
        regions: 3,
        disabled: lead.disabled(),
        inverted: lead.inverted(),
    };
    Steering { config, version, marks: Marks(marks.to_vec()) }
}

fn instance(state: InstanceState, launched_seconds_ago: i64) -> Instance {
    Instance {
        id: "i-0123456789abcdef0".parse().unwrap(),
        state,
        state_reason: None,
        stopped_at: None,
        launched_at: ago(launched_seconds_ago),
        public_address: None,
        tags: BTreeMap::new(),
        detailed_monitoring: false,
        spot: false,
        instance_store_root: false,
    }
}

const BOOT: TimeDelta = TimeDelta::minutes(5);
const IDLE: TimeDelta = TimeDelta::minutes(60);

#[test]
fn a_mark_is_read_as_it_is_written_and_fits_a_tag() {
    for lead in [Lead::Away, Lead::Closed, Lead::Home] {
        let first = steering(Lead::Checked, 7, &[]).marks_for(lead, ago(60), 8).unwrap();
        assert_eq!(first.to_string().parse(), Ok(first.clone()));
        let second = steering(lead, 8, &first.0).marks_for(Lead::Home, noon(), 9).unwrap();
        assert_eq!((second.0.len(), second.to_string().parse()), (2, Ok(second.clone())));
        assert!(second.to_string().len() <= 256, "Route 53 takes no more");
        assert!(second.to_string().chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)));
    }
    assert_eq!(steering(Lead::Away, 7, &[]).marks_for(Lead::Checked, noon(), 8), None);
    for bad in ["", "away", "away 8", "away x 2026-03-01T12:00:00Z", "checked 8 2026-03-01T12:00:00Z", "home 8 noon"] {
        assert!(bad.parse::<Marks>().is_err(), "{bad}");
    }
    assert!("home 8 2026-03-01T12:00:00Z more".parse::<Marks>().is_err());
}

#[test]
fn only_what_the_mark_tells_of_is_our_doing() {
    let mark = |lead, version| [Mark { lead, version, since: noon() }];
    assert_eq!(steering(Lead::Checked, 8, &[]).stance(), Stance::Checked);
    assert_eq!(steering(Lead::Checked, 9, &mark(Lead::Away, 8)).stance(), Stance::Checked, "put back since");
    assert_eq!(steering(Lead::Checked, 8, &mark(Lead::Away, 8)).stance(), Stance::Checked, "enabled is enabled");
    assert_eq!(steering(Lead::Away, 8, &mark(Lead::Away, 8)).stance(), Stance::Away { since: noon() });
    assert_eq!(steering(Lead::Home, 8, &mark(Lead::Home, 8)).stance(), Stance::Home { since: noon() });
    assert_eq!(steering(Lead::Closed, 8, &mark(Lead::Closed, 8)).stance(), Stance::Closed { since: noon() });
    assert_eq!(steering(Lead::Home, 8, &[]).stance(), Stance::ByHand);
    assert_eq!(steering(Lead::Home, 9, &mark(Lead::Home, 8)).stance(), Stance::ByHand, "somebody changed it since");
    assert_eq!(steering(Lead::Home, 8, &mark(Lead::Away, 8)).stance(), Stance::ByHand, "we never got to set it");
    let mut inverted = steering(Lead::Checked, 8, &mark(Lead::Away, 8));
    inverted.config.inverted = true;
    assert_eq!(inverted.stance(), Stance::ByHand);
}

#[test]
fn what_was_set_this_second_is_known_by_its_mark() {
    let marks: Marks = "away 8 2026-03-01T12:00:00Z".parse().unwrap();
    let now = noon() + TimeDelta::milliseconds(700);
    let away = steering(Lead::Away, 8, &marks.0);
    assert!(away.was_led(Lead::Away, now));
    assert!(!away.was_led(Lead::Closed, now) && !away.was_led(Lead::Away, now + TimeDelta::seconds(1)));
    assert!(!steering(Lead::Away, 9, &marks.0).was_led(Lead::Away, now), "somebody changed it since");
}

#[test]
fn a_crash_between_mark_and_setting_leaves_it_ours() {
    let away = steering(Lead::Checked, 7, &[]).marks_for(Lead::Away, ago(600), 8).unwrap();
    let away = steering(Lead::Away, 8, &away.0);
    for next in [Lead::Closed, Lead::Home] {
        let marks = away.marks_for(next, noon(), 9).unwrap();
        assert_eq!(steering(Lead::Away, 8, &marks.0).stance(), Stance::Away { since: ago(600) }, "only marked");
        assert_ne!(steering(next, 9, &marks.0).stance(), Stance::ByHand, "marked and set");
    }
    let never_set = steering(Lead::Checked, 7, &[]).marks_for(Lead::Away, noon(), 8).unwrap();
    assert_eq!(steering(Lead::Checked, 7, &never_set.0).stance(), Stance::Checked);
}

#[test]
fn a_nap_waits_until_all_have_let_go_and_the_last_of_them_has_been_seen() {
    let at = |since: i64, known: i64| before_nap(Stance::Away { since: ago(since) }, ago(known), false, noon());
    assert_eq!(before_nap(Stance::Checked, noon(), false, noon()), Drain::Begin);
    assert_eq!(before_nap(Stance::Checked, noon(), true, noon()), Drain::Spared);
    assert_eq!(before_nap(Stance::Home { since: ago(10_000) }, noon(), false, noon()), Drain::Begin);
    assert_eq!(before_nap(Stance::Home { since: ago(10_000) }, noon(), true, noon()), Drain::Begin, "healthy unseen");
    assert_eq!(at(179, 0), Drain::Wait);
    assert_eq!(at(181, 2), Drain::Wait, "what came two seconds ago has not been seen");
    assert_eq!(at(181, 1), Drain::Over);
    assert_eq!(at(600, 421), Drain::Wait);
    assert_eq!(at(600, 420), Drain::Over);
    let closed = Stance::Closed { since: ago(600) };
    assert_eq!(before_nap(closed, noon(), false, noon()), Drain::Begin, "a tick crashed: somebody may have come since");
}

#[test]
fn a_tick_puts_back_what_was_left_steered() {
    let running = |seconds| instance(InstanceState::Running, seconds);
    let (away, home) = (|seconds| Stance::Away { since: ago(seconds) }, |seconds| Stance::Home { since: ago(seconds) });
    assert_eq!(at_a_tick(away(9_000), &running(299), BOOT, noon()), None, "the app cannot be there yet");
    assert_eq!(at_a_tick(away(9_000), &running(300), BOOT, noon()), Some(Lead::Checked));
    assert_eq!(at_a_tick(Stance::Closed { since: ago(9) }, &running(300), BOOT, noon()), Some(Lead::Checked));
    assert_eq!(at_a_tick(home(299), &running(400), BOOT, noon()), None);
    assert_eq!(at_a_tick(home(300), &running(400), BOOT, noon()), Some(Lead::Checked));
    for state in [InstanceState::Stopping, InstanceState::Stopped] {
        assert_eq!(at_a_tick(home(9), &instance(state, 400), BOOT, noon()), Some(Lead::Closed), "{state:?}");
        assert_eq!(at_a_tick(away(9), &instance(state, 400), BOOT, noon()), None, "{state:?}");
    }
    for stance in [Stance::Checked, Stance::ByHand] {
        for state in [InstanceState::Running, InstanceState::Stopped, InstanceState::Pending] {
            assert_eq!(at_a_tick(stance, &instance(state, 9_000), BOOT, noon()), None, "{stance:?} {state:?}");
        }
    }
}

#[test]
fn the_starter_leads_home_after_a_wake_and_ends_a_drain_for_a_person() {
    let awake_for = |seconds| instance(InstanceState::Running, seconds);
    let away = Stance::Away { since: ago(60) };
    assert_eq!(on_answer(away, &awake_for(90), false, IDLE, noon()), Some(Lead::Home), "just woken");
    assert_eq!(on_answer(away, &awake_for(3_600), false, IDLE, noon()), None, "a scanner in a drain");
    assert_eq!(on_answer(away, &awake_for(3_600), true, IDLE, noon()), Some(Lead::Home), "a person in a drain");
    let closed = Stance::Closed { since: ago(60) };
    assert_eq!(on_answer(closed, &awake_for(3_600), true, IDLE, noon()), None, "it is about to be stopped");
    assert_eq!(on_answer(closed, &awake_for(59), false, IDLE, noon()), Some(Lead::Home), "it slept, and was woken");
    assert_eq!(on_answer(Stance::Home { since: ago(60) }, &awake_for(90), true, IDLE, noon()), None);
    assert_eq!(on_answer(Stance::Home { since: ago(300) }, &awake_for(400), false, IDLE, noon()), Some(Lead::Checked));
    for stance in [Stance::Checked, Stance::ByHand] {
        assert_eq!(on_answer(stance, &awake_for(90), true, IDLE, noon()), None);
    }
}

#[test]
fn what_a_refusal_means_for_the_nap_and_for_whom_it_rings() {
    let table = [
        (Trouble::NotPermitted, AfterRefusal::NapWithout, true),
        (Trouble::Outdated, AfterRefusal::LookAgain, false),
        (Trouble::Throttled, AfterRefusal::TryAgain, false),
        (Trouble::Unreachable, AfterRefusal::TryAgain, false),
        (Trouble::NotFound, AfterRefusal::TryAgain, true),
        (Trouble::Unexpected, AfterRefusal::TryAgain, true),
    ];
    for (trouble, means, rings) in table {
        for stance in [Stance::Checked, Stance::Away { since: noon() }, Stance::Closed { since: noon() }] {
            assert_eq!((after_refusal(trouble, stance), needs_somebody(trouble)), (means, rings), "{trouble:?}");
        }
    }
    let home = Stance::Home { since: noon() };
    assert_eq!(after_refusal(Trouble::NotPermitted, home), AfterRefusal::Keep, "nobody could wake it");
    assert_eq!(after_refusal(Trouble::Throttled, home), AfterRefusal::TryAgain);
}

#[test]
fn a_hand_that_makes_what_sleeps_count_as_healthy_strands_its_visitors() {
    let asleep = |steering: &Steering| steering.strands(InstanceState::Stopped);
    let healthy = steering(Lead::Home, 8, &[]);
    assert!(asleep(&healthy) && healthy.strands(InstanceState::Stopping));
    assert!(!healthy.strands(InstanceState::Running), "the app is there; the napping table keeps it");
    assert!(!asleep(&steering(Lead::Away, 8, &[])), "they are led to the starter");
    assert!(!asleep(&steering(Lead::Checked, 8, &[])));
    let ours = [Mark { lead: Lead::Home, version: 8, since: noon() }];
    assert!(!asleep(&steering(Lead::Home, 8, &ours)), "the tick closes it");
}

#[test]
fn a_running_app_kept_away_for_an_hour_is_stuck() {
    let stuck =
        |state, since, launched| is_stuck(Stance::Away { since: ago(since) }, &instance(state, launched), noon());
    assert!(stuck(InstanceState::Running, 3_600, 9_000));
    assert!(!stuck(InstanceState::Running, 3_599, 9_000));
    assert!(!stuck(InstanceState::Running, 9_000, 600), "it slept, and was woken ten minutes ago");
    assert!(is_stuck(Stance::Closed { since: ago(3_600) }, &instance(InstanceState::Running, 9_000), noon()));
    assert!(!stuck(InstanceState::Stopped, 9_000, 9_000), "asleep it is as it should be");
}
