//! Napping while Catnap itself leads visitors by the health check.

use super::*;

/// Led away ten minutes ago: since then no checker has sent anything, nor reported.
fn led_away() -> Story {
    idle().but(|it| {
        it.policy.steer = true;
        it.health_check = HealthCheck::Steered { config: check(), since: noon() - minutes(10), home: false };
        it.network_in
            .points
            .iter_mut()
            .filter(|point| point.at >= noon() - minutes(10))
            .for_each(|it| it.value = 700.0);
    })
}

#[test]
fn no_sample_of_the_health_check_is_missed_while_nobody_looks() {
    assert!(matches!(led_away().decide(), IdleDecision::Nap(NapReason::Idle { .. })));
    assert_eq!(knowledge(&led_away().facts(), &led_away().decide()).unwrap().health, Health::Steered);
}

#[test]
fn whom_it_was_turned_home_for_is_a_visitor_before_visits_can_be_read_and_after_the_mark_is_gone() {
    let home = |ago| {
        let since = noon() - minutes(ago);
        idle().but(|it| it.health_check = HealthCheck::Steered { config: check(), since, home: true })
    };
    assert_eq!(kept(&home(4)), KeepReason::Visitors { at: noon() - minutes(4) });
    let counted = |ago| idle().but(|it| it.visits = one(ago));
    assert!(matches!(kept(&counted(60)), KeepReason::Visitors { .. }));
    assert!(matches!(counted(61).decide(), IdleDecision::Nap(_)));
}

#[test]
fn what_came_without_checkers_teaches_no_floor_that_they_exceed() {
    let floor = floor(&led_away().facts());
    assert!(floor.bytes > NOISE, "{floor:?}");
    // Nor later, when the checkers are back: an hour without them, and datapoints in which they paused for a part.
    let back = idle().but(|it| {
        it.policy.steer = true;
        let without = (1..=12).map(|turn| (100 + 5 * turn, 700.0));
        for (ago, value) in without.chain([(165, 18_000.0), (95, 700.0), (60, 25_000.0), (55, 700.0)]) {
            let at = noon() - minutes(ago);
            it.network_in.points.iter_mut().filter(|point| point.at == at).for_each(|point| point.value = value);
        }
    });
    assert!(super::floor(&back.facts()).bytes > NOISE);
    assert!(matches!(back.decide(), IdleDecision::Nap(_)));
    // Without Steer such datapoints are what the checkers send, and more is activity.
    let without = back.but(|it| it.policy.steer = false);
    assert!(matches!(kept(&without), KeepReason::Active { .. }));
}
