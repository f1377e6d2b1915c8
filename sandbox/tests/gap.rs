//! No visitor is lost around a nap or a wake where they are led by the health check, and some are without.

#![allow(unreachable_pub, clippy::expect_used, reason = "shared with the bench")]

#[path = "../benches/gap/mod.rs"]
mod gap;

use chrono::TimeDelta;
use gap::Way;
use sandbox::{Sandbox, Setup, Visitor};
use shared::model::InstanceState;
use shared::sim::LeadsTo;
use shared::sim::traffic::Page;

#[test]
fn with_steer_nobody_is_lost_and_without_it_some_are() {
    for (interval, threshold, tick) in [(30, 3, 5), (10, 1, 1)] {
        let plain = Way { interval, threshold, steer: false, tick }.measure(5);
        assert!(plain.lost > 10 && plain.lost_for > 60, "{plain:?}");
        let led = Way { interval, threshold, steer: true, tick }.measure(5);
        assert_eq!(led.lost, 0, "of {}", led.came);
        assert!(led.came > 80 && led.on_screen <= 2.0 && led.led_home <= 2, "{led:?}");
        assert!(led.napped_after <= plain.napped_after + 15, "{plain:?} {led:?}");
    }
}

#[test]
fn whenever_somebody_comes_it_comes_to_rest_again() {
    assert!(Way { interval: 30, threshold: 3, steer: true, tick: 5 }.comes_to_rest(53));
}

#[test]
fn who_ends_a_drain_with_a_light_page_has_the_app_for_the_idle_time() {
    let settings = [("CATNAP_STEER".into(), "true".into())].into();
    let world = Sandbox::new(&Setup { settings, page: Page::Light, ..Setup::default() }).expect("it can be set up");
    world.visit(Visitor::named("Ada"));
    world.run(TimeDelta::minutes(30));
    let minute = |wanted: fn(&sandbox::Snapshot) -> bool| {
        let passed = (0..300).find(|_| {
            world.run(TimeDelta::minutes(1));
            wanted(&world.snapshot())
        });
        passed.expect("it comes to that")
    };
    minute(|it| it.leads_to == Some(LeadsTo::Gateway));
    assert_eq!(world.snapshot().state, InstanceState::Running, "it is drained first");
    world.visit(Visitor::named("Bob"));
    let napped_after = minute(|it| it.state != InstanceState::Running);
    assert!(napped_after >= 60, "{napped_after} min");
}
