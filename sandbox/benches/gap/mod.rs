//! A visitor at each second around a nap and a wake: who is lost?
//!
//! Each comes in a world of their own, since a visit ends a drain and wakes what sleeps. Their browsers know the app's
//! address from before, as old as it can be: a resolver keeps it 60 s, Chromium 60 s more and Firefox 120.

use chrono::{DateTime, TimeDelta, Utc};
use http::Request;
use sandbox::{APP, Event, Got, Sandbox, Setup, Step, Visitor, What};
use shared::model::{CheckKind, HealthCheckConfig, InstanceState, Probe};
use shared::sim::{Browser, Happening, LeadsTo};

/// A health check, and whether visitors are led by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub interval: u32,
    pub threshold: u32,
    pub steer: bool,
    /// Minutes from one tick to the next.
    pub tick: i64,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Seconds around the nap at which somebody came.
    pub came: usize,
    /// Those who hung on a dead address, or got another answer than the app's while it ran.
    pub lost: usize,
    /// From the first of them to the last, in seconds.
    pub lost_for: i64,
    /// Of those who come at each second of a wake, the longest that one waits once the app answers, in seconds…
    pub on_screen: f64,
    /// …and until DNS leads to it.
    pub led_home: i64,
    /// Minutes from the last page view to the stop.
    pub napped_after: i64,
}

impl Way {
    fn setup(self) -> Setup {
        let check = HealthCheckConfig::new(CheckKind::Http, self.interval, 3);
        let settings = [("CATNAP_IDLE_MINUTES", "15".to_owned()), ("CATNAP_STEER", self.steer.to_string())];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let schedule = TimeDelta::minutes(self.tick);
        Setup { check: (check, self.threshold), settings, schedule, ..Setup::default() }
    }

    /// The world in which somebody was there, and left.
    fn left_alone(self) -> Sandbox {
        let sandbox = Sandbox::new(&self.setup()).expect("the settings can be read");
        sandbox.visit(Visitor::named("Ada"));
        sandbox
    }

    /// Lets somebody come every `each` seconds, from before the visitors are led away (or the stop) until all know
    /// that it sleeps.
    pub fn measure(self, each: usize) -> Gap {
        let world = self.left_alone();
        world.run(TimeDelta::hours(1));
        let events = world.events();
        let stop = at(&events, |what| matches!(what, What::Call { operation: "StopInstances", refused: None, .. }));
        let stop = stop.expect("nobody is there: it naps");
        let turns = at(&events, |what| matches!(what, What::World(Happening::Dns { to: LeadsTo::Gateway, .. })));
        let begin = turns.expect("DNS turns").min(stop) - TimeDelta::seconds(30);
        let end = turns.expect("DNS turns").max(stop) + TimeDelta::seconds(240);
        let seconds = (0..(end - begin).num_seconds()).step_by(each);
        let lost: Vec<i64> = seconds.clone().filter(|second| self.is_lost(begin, *second)).collect();
        let views = |what: &What| matches!(what, What::Request { to: LeadsTo::Instance | LeadsTo::Gateway, .. });
        let left = events.iter().rev().find(|event| event.at < begin && views(&event.what)).map(|event| event.at);

        let mut woken = Vec::new();
        while at(&woken, answers).is_none() {
            assert!(woken.len() < 100_000, "the app comes up");
            world.visit(Visitor::named(format!("who comes at {}", world.now())));
            world.run(TimeDelta::seconds(1));
            woken.extend(world.events());
        }
        world.run(TimeDelta::minutes(5));
        woken.extend(world.events());
        let answers = at(&woken, answers).expect("it was seen");
        let sees = woken.iter().filter(|event| matches!(event.what, What::Visitor { step: Step::Arrives { .. }, .. }));
        let waits: Vec<_> = sees.map(|event| (event.at - answers).as_seconds_f64()).collect();
        let came = |event: &&Event| matches!(event.what, What::Visitor { step: Step::Comes, .. });
        assert_eq!(waits.len(), woken.iter().filter(came).count(), "each of them sees it");
        let home = at(&woken, |what| matches!(what, What::World(Happening::Dns { to: LeadsTo::Instance, .. })));
        Gap {
            came: seconds.count(),
            lost: lost.len(),
            lost_for: lost.last().zip(lost.first()).map_or(0, |(last, first)| last - first + each as i64),
            on_screen: waits.into_iter().fold(0.0, f64::max),
            led_home: (home.expect("DNS turns back") - answers).num_seconds(),
            napped_after: (stop - left.expect("Ada looked at it")).num_minutes(),
        }
    }

    fn is_lost(self, begin: DateTime<Utc>, second: i64) -> bool {
        let world = self.left_alone();
        let comes = begin + TimeDelta::seconds(second);
        // Spread over all ages that an answer can have, and over both browsers.
        let mut browser = Browser::default();
        browser.keeps_dns = TimeDelta::seconds(60 + 60 * (second % 2));
        let age = second * 37 % (60 + browser.keeps_dns.num_seconds());
        let host = APP.parse().expect("a name");
        for before in [age, (age - 59).max(0)] {
            world.run_until(comes - TimeDelta::seconds(before));
            world.turn("somebody asks a resolver", |sim, _, _| sim.resolve(&mut browser, &host));
        }
        world.run_until(comes);
        let request = Request::get(format!("https://{APP}/")).header("accept", "text/html");
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
        let request = request.header("sec-fetch-mode", "navigate").header("accept-language", "en");
        let request = request.header("user-agent", agent).body(Vec::new()).expect("a request");
        let _ = world.events();
        let is_up = || world.snapshot().app == Probe::Ready;
        let was_up = is_up();
        let _ = world.request(&mut browser, request);
        let events = world.events();
        let broken = |event: &Event| matches!(event.what, What::Broken { .. });
        assert!(!events.iter().any(broken), "a law is broken at second {second}");
        let got = events.iter().find_map(|event| match &event.what {
            What::Request { who, got, .. } if who == "you" => Some(*got),
            _ => None,
        });
        match got.expect("it was sent") {
            Got::App => false,
            // While it sleeps that is what they should get; while it runs, as in a drain, it is not.
            Got::WaitingPage => was_up && is_up(),
            Got::Starter | Got::GatewayError | Got::Nothing => true,
        }
    }

    /// Whether it comes to rest again after a visit at each of some seconds around its nap: asleep, and found.
    pub fn comes_to_rest(self, each: usize) -> bool {
        let seconds = (15 * 60..45 * 60).step_by(each);
        seconds.into_iter().all(|second| {
            let world = self.left_alone();
            world.run(TimeDelta::seconds(second));
            world.visit(Visitor::named("Eve"));
            world.run(TimeDelta::minutes(75));
            let now = world.snapshot();
            (now.state, now.leads_to) == (InstanceState::Stopped, Some(LeadsTo::Gateway))
        })
    }
}

fn answers(what: &What) -> bool {
    matches!(what, What::World(Happening::App { answers: true, .. }))
}

fn at(events: &[Event], wanted: impl Fn(&What) -> bool) -> Option<DateTime<Utc>> {
    events.iter().find(|event| wanted(&event.what)).map(|event| event.at)
}
