//! The simulated world when it is left to itself: checkers, datapoints, DNS, EC2's buckets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use shared::cloud::{Cloud, Metric, Targets};
use shared::model::{CheckKind, HealthCheckConfig, HealthCheckId, HostName, InstanceId, InstanceState, Series};
use shared::sim::{Browser, Happening, LeadsTo, Life, Phases, Sim, Which};
use shared::trouble::Trouble;

struct World {
    sim: Sim,
    id: InstanceId,
    check: HealthCheckId,
    host: HostName,
}

fn check(kind: CheckKind, regions: u32, interval_seconds: u32) -> HealthCheckConfig {
    HealthCheckConfig::new(kind, interval_seconds, regions)
}

/// One that has just been started by hand; its app answers 40 s later.
fn world(config: HealthCheckConfig, seed: u64) -> World {
    let sim = Sim::new("2026-03-01T20:00:00Z".parse().unwrap());
    let (host, check) = ("app.example.com".parse().unwrap(), "the-check".parse::<HealthCheckId>().unwrap());
    let id = sim.add_instance(&host, Phases::default());
    let ttl = TimeDelta::seconds(60);
    sim.bring_to_life(&id, &host, &Life { check: check.clone(), config, threshold: 3, ttl, seed });
    sim.start_by_hand(&id).unwrap();
    World { sim, id, check, host }
}

impl World {
    fn usual() -> Self {
        world(check(CheckKind::Http, 3, 30), 1)
    }

    fn minutes(&self, minutes: i64) {
        self.sim.advance(TimeDelta::minutes(minutes));
    }

    async fn network_in(&self, period: i64) -> Series {
        let metric = Metric::NetworkIn { instance: self.id.clone(), period: TimeDelta::minutes(period) };
        self.read(metric).await
    }

    async fn read(&self, metric: Metric) -> Series {
        let now = self.sim.now();
        let mut read = (&self.sim).metrics(&[metric], now - TimeDelta::days(2), now).await.unwrap();
        read.remove(0).unwrap()
    }

    fn turns(&self) -> Vec<(DateTime<Utc>, LeadsTo)> {
        let turns = self.sim.events().into_iter().filter_map(|event| match event.what {
            Happening::Dns { to, .. } => Some((event.at, to)),
            _ => None,
        });
        turns.collect()
    }
}

#[tokio::test]
async fn health_checks_bring_in_what_was_measured() {
    use CheckKind::{Http, Https, Tcp};
    #[rustfmt::skip]
    let table = [
        (Tcp,   [(3, 30, 14.0), (3, 10,  41.0), (8, 30,  36.0), (8, 10, 108.0)]),
        (Http,  [(3, 30, 31.0), (3, 10,  92.0), (8, 30,  82.0), (8, 10, 245.0)]),
        (Https, [(3, 30, 60.0), (3, 10, 179.0), (8, 30, 159.0), (8, 10, 477.0)]),
    ];
    for (kind, rows) in table {
        for (regions, interval, measured) in rows {
            let mut all = 0.0;
            for seed in 0..20 {
                let world = world(check(kind, regions, interval), seed);
                world.minutes(180);
                let mut values: Vec<_> = world.network_in(5).await.points.iter().map(|point| point.value).collect();
                values.sort_by(f64::total_cmp);
                all += values[values.len() / 2] / 1_000.0;
            }
            let mean = all / 20.0;
            assert!((0.85..1.35).contains(&(mean / measured)), "{kind:?} {regions} {interval}: {mean} for {measured}");
        }
    }
}

#[tokio::test]
async fn dns_goes_by_what_the_checkers_find() {
    let world = World::usual();
    world.minutes(10);
    let [(up, LeadsTo::Instance)] = world.turns()[..] else { panic!("it is found once") };
    let after = (up - world.sim.instance(&world.id).launched_at).num_seconds() - 40;
    assert!((60..=95).contains(&after), "three checks, 30 s apart: {after} s after the app's first answer");
    let stopped = world.sim.now();
    (&world.sim).stop(&world.id).await.unwrap();
    world.minutes(10);
    let [(down, LeadsTo::Gateway)] = world.turns()[..] else { panic!("it is lost once") };
    assert!((60..=95).contains(&(down - stopped).num_seconds()));
    assert!(!(&world.sim).is_healthy(&world.check, stopped).await.unwrap());
    let status = world.read(Metric::HealthStatus(world.check.clone())).await;
    assert_eq!(status.points.len(), 20, "one a minute, asleep or not");
    assert_eq!((status.points[9].value, status.points[15].value), (1.0, 0.0));
    // Kept out they find nothing, and send nothing in.
    world.sim.keep_out(&world.check, true);
    world.sim.start_by_hand(&world.id).unwrap();
    world.minutes(20);
    assert_eq!(world.turns(), []);
    let newest = world.network_in(5).await.points.last().copied().unwrap();
    assert!(newest.value < 5_000.0, "{newest:?}");
}

#[tokio::test]
async fn datapoints_are_there_for_the_time_that_it_ran_and_late() {
    let world = World::usual();
    world.minutes(22);
    (&world.sim).stop(&world.id).await.unwrap();
    world.minutes(60);
    let five = world.network_in(5).await;
    assert_eq!(five.points.len(), 5, "stopped time has none");
    assert!(five.points[4].value < five.points[3].value * 0.6, "the last one is of two minutes: {five:?}");
    assert_eq!(world.network_in(1).await.points, [], "minutes are there under detailed monitoring");
    world.sim.change(&world.id, |it| it.detailed_monitoring = true);
    world.sim.start_by_hand(&world.id).unwrap();
    world.minutes(11); // a minute of them it is pending for a part
    assert_eq!(world.network_in(1).await.points.len(), 11);
    world.sim.set_delay_of(Which::NetworkIn, TimeDelta::minutes(4));
    assert_eq!(world.network_in(1).await.points.len(), 7);
    world.sim.lose_metrics(Which::NetworkIn, true);
    world.minutes(10);
    assert_eq!(world.network_in(1).await.points.len(), 11, "lost ones do not come later");
}

#[test]
fn a_browser_stays_with_its_connection_and_its_dns() {
    let World { sim, id, host, .. } = World::usual();
    let mut browser = Browser::default();
    let mut ask = |seconds| {
        sim.advance(TimeDelta::seconds(seconds));
        sim.route(&mut browser, &host).unwrap()
    };
    assert_eq!(ask(0), LeadsTo::Gateway);
    for _ in 0..60 {
        assert_eq!(ask(30), LeadsTo::Gateway, "a connection that is used is kept, wherever DNS leads");
    }
    assert_eq!(sim.leads(&host), Some(LeadsTo::Instance));
    assert_eq!(ask(61), LeadsTo::Instance, "after a minute of silence API Gateway has closed it");
    sim.stop_by_hand(&id, "Client.UserInitiatedShutdown").unwrap();
    assert_eq!(ask(200), LeadsTo::Instance, "the connection is kept for five minutes");
    browser.lose_connection();
    let mut ask = |seconds| {
        sim.advance(TimeDelta::seconds(seconds));
        browser.lose_connection();
        sim.route(&mut browser, &host).unwrap()
    };
    assert_eq!(ask(0), LeadsTo::Gateway, "what it knew of DNS is long forgotten");
    sim.start_by_hand(&id).unwrap();
    assert_eq!((ask(50), sim.leads(&host)), (LeadsTo::Gateway, Some(LeadsTo::Gateway)));
    sim.advance(TimeDelta::seconds(90));
    assert_eq!((ask(0), sim.leads(&host)), (LeadsTo::Instance, Some(LeadsTo::Instance)));
}

#[tokio::test]
async fn ec2_meters_starts_and_tells_why_one_came_to_nothing() {
    let World { sim, id, .. } = World::usual();
    sim.meter_calls();
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push((&sim).start(&id).await.map_err(|error| error.trouble));
    }
    assert_eq!(answers[..5], [Ok(()); 5], "a start of what is being started does nothing");
    assert_eq!(answers[5..], [Err(Trouble::Throttled); 2]);
    sim.advance(TimeDelta::seconds(1));
    assert_eq!((&sim).start(&id).await.map_err(|error| error.trouble), Ok(()), "two a second are added");
    sim.stop_by_hand(&id, "Client.InstanceInitiatedShutdown").unwrap_err();
    sim.advance(TimeDelta::minutes(1));
    sim.stop_by_hand(&id, "Client.InstanceInitiatedShutdown").unwrap();
    sim.set_describe_lag(TimeDelta::seconds(20));
    let seen = async || (&sim).instances(&Targets::One(id.clone())).await.unwrap().remove(0);
    assert_eq!(seen().await.state, InstanceState::Running, "DescribeInstances lags behind");
    sim.advance(TimeDelta::minutes(2));
    sim.starts_fail(&id, Some("Client.InternalError"));
    (&sim).start(&id).await.expect("EC2 takes it");
    sim.advance(TimeDelta::minutes(1));
    let failed = seen().await;
    assert_eq!((failed.state, failed.state_reason.as_deref()), (InstanceState::Stopped, Some("Client.InternalError")));
    assert_eq!(sim.now() - failed.launched_at, TimeDelta::minutes(1), "LaunchTime is renewed all the same");
}

#[tokio::test]
async fn checkers_validate_no_certificate_and_by_tcp_they_want_no_answer() {
    use CheckKind::{Http, Https, Tcp};
    use shared::model::Probe::{Refused, TlsFailed, Unwell};
    for (kind, app, is_well) in [
        (Tcp, TlsFailed, true),
        (Http, TlsFailed, true),
        (Https, TlsFailed, true),
        (Tcp, Unwell(503), true),
        (Http, Unwell(503), false),
        (Https, Unwell(503), false),
        (Tcp, Refused, false),
        (Https, Refused, false),
    ] {
        let world = world(check(kind, 3, 30), 1);
        world.minutes(10);
        world.sim.app_answers(&world.id, app);
        world.minutes(10);
        assert_eq!(world.sim.health(&world.check).unwrap().0, is_well, "{kind:?} of {app:?}");
        let leads_to = if is_well { LeadsTo::Instance } else { LeadsTo::Gateway };
        assert_eq!(world.sim.leads(&world.host), Some(leads_to), "{kind:?} of {app:?}");
    }
}
