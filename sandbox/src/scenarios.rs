//! The scenarios: short stories, each with what must hold.

use chrono::{DateTime, TimeDelta, Utc};
use shared::model::InstanceState::{Pending, Stopped};
use shared::sim::{LeadsTo, Phases};

use crate::crowd::{AGENTS, PATHS};
use crate::fault::Fault;
use crate::sandbox::{Setup, SetupError};
use crate::stage::{Scenario, Stage};
use crate::visitor::Visitor;
use crate::world::APP;

/// All of them.
pub const SCENARIOS: [Scenario; 13] = [
    Scenario { name: "first-visit", about: "someone comes at night, and it naps again", play: first_visit },
    Scenario { name: "storm", about: "two hundred come within ten seconds", play: storm },
    Scenario { name: "scanner-night", about: "a night of scanners, crawlers and previews", play: scanner_night },
    Scenario { name: "no-capacity", about: "AWS has no room for twenty minutes", play: no_capacity },
    Scenario { name: "kms-grant", about: "the role may not use the disk's key", play: kms_grant },
    Scenario { name: "never-up", about: "the app does not come up", play: never_up },
    Scenario { name: "certificate", about: "the app's certificate has run out overnight", play: certificate },
    Scenario { name: "crash-at-noon", about: "the app crashes while people use it", play: crash_at_noon },
    Scenario { name: "metrics-outage", about: "CloudWatch loses three hours", play: metrics_outage },
    Scenario { name: "same-second", about: "a stop and a visit in the same second", play: same_second },
    Scenario { name: "dst-night", about: "a keep-awake window in the night without two o'clock", play: dst_night },
    Scenario { name: "host-renamed", about: "the app gets another name", play: host_renamed },
    Scenario { name: "slow-boot", about: "an app that takes eight minutes to come up", play: slow_boot },
];

fn first_visit() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("02:13");
    stage.visit("Ada");
    stage.minutes(2);
    stage.must("Ada has the app 40 to 45 s after she came", matches!(stage.arrived("Ada"), Some(40..=45)));
    stage.must("one start", stage.sandbox.calls("StartInstances") == 1);
    stage.minutes(90);
    stage.must("it naps again", stage.is_asleep() && stage.times(Stopped) == 1);
    let awake = stage.sandbox.snapshot().awake_seconds / 60;
    stage.must(format!("awake for little more than IdleMinutes and a tick: {awake} min"), (60..=75).contains(&awake));
    Ok(stage)
}

fn storm() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    for number in 0..200 {
        stage.visit(&format!("visitor {number}"));
        stage.sandbox.run(TimeDelta::milliseconds(50));
    }
    stage.minutes(3);
    let slowest = (0..200).map(|number| stage.arrived(&format!("visitor {number}"))).collect::<Option<Vec<_>>>();
    let slowest = slowest.and_then(|all| all.into_iter().max());
    stage.must(format!("all have the app within 60 s: {slowest:?}"), slowest.is_some_and(|seconds| seconds <= 60));
    stage.must("it was started once", stage.times(Pending) == 1);
    let starts = stage.sandbox.calls("StartInstances");
    stage.must(format!("few calls beside that one: {starts}"), starts <= 5);
    Ok(stage)
}

fn scanner_night() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("22:00");
    for number in 0..480 {
        stage.sandbox.bot(PATHS[number % PATHS.len()], AGENTS[number % AGENTS.len()]);
        stage.minutes(1);
    }
    stage.must("nothing was started", stage.sandbox.calls("StartInstances") == 0 && stage.is_asleep());
    let answers = stage.starter(DateTime::<Utc>::MIN_UTC).count();
    stage.must(format!("each got an answer: {answers}"), answers == 480);
    stage.visit("Ada");
    stage.minutes(2);
    stage.must("a person still wakes it", stage.arrived("Ada").is_some());
    Ok(stage)
}

fn no_capacity() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.sandbox.fault(Fault::NoCapacity, true);
    for name in ["Ada", "Bert", "Carla", "Dora"] {
        stage.sandbox.visit(Visitor { patience: TimeDelta::hours(1), ..Visitor::named(name) });
        stage.seconds(4);
    }
    stage.minutes(20);
    stage.must("they read what is waited for", stage.said("waiting-for-capacity", began));
    stage.must("and are still there", stage.arrived("Ada").is_none());
    let starts = stage.sandbox.calls("StartInstances");
    stage.must(format!("EC2 is asked each 15 s, however many wait: {starts} times"), (60..=85).contains(&starts));
    stage.sandbox.fault(Fault::NoCapacity, false);
    stage.minutes(3);
    let seconds = stage.arrived("Ada").map(|seconds| seconds - 20 * 60 - 16);
    stage.must(
        format!("once there is room, Ada has the app within 75 s: {seconds:?}"),
        seconds.is_some_and(|seconds| seconds <= 75),
    );
    Ok(stage)
}

fn kms_grant() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.sandbox.fault(Fault::KmsGrant, true);
    stage.sandbox.visit(Visitor { patience: TimeDelta::hours(1), ..Visitor::named("Ada") });
    stage.minutes(4);
    stage.must("Ada reads that it could not start", stage.said("start-failed", began));
    stage.must("it is not tried again at once", stage.sandbox.calls("StartInstances") == 1);
    stage.minutes(4);
    stage.must("but five minutes later", stage.sandbox.calls("StartInstances") == 2);
    stage.sandbox.fault(Fault::KmsGrant, false);
    stage.minutes(7);
    stage.must("once the grant is there, Ada gets the app by herself", stage.arrived("Ada").is_some());
    Ok(stage)
}

fn never_up() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.sandbox.fault(Fault::AppDown, true);
    stage.visit("Ada");
    stage.minutes(10);
    stage.must("after BootDeadline Ada reads that it takes longer", stage.said("overdue", began));
    stage.minutes(10);
    stage.must("Ada has given up", stage.arrived("Ada").is_none());
    stage.minutes(65);
    stage.must("after IdleMinutes it naps: a boot may help", stage.is_asleep());
    stage.sandbox.fault(Fault::AppDown, false);
    stage.visit("Bert");
    stage.minutes(2);
    stage.must("the next visit boots it afresh", stage.arrived("Bert").is_some());
    Ok(stage)
}

fn certificate() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.sandbox.fault(Fault::Certificate, true);
    stage.visit("Ada");
    stage.minutes(10);
    let leads_to = stage.sandbox.snapshot().leads_to;
    stage.must("to Route 53 it is well: checkers validate no certificate", leads_to == Some(LeadsTo::Instance));
    stage.must("Ada is not handed to it, and reads that it takes longer", stage.said("overdue", began));
    stage.must("she has not got it", stage.arrived("Ada").is_none());
    stage.sandbox.fault(Fault::Certificate, false);
    stage.minutes(1);
    stage.must("with a new certificate Ada has it within the minute", stage.arrived("Ada").is_some());
    stage.minutes(300); // a scanner may come in between
    stage.must("and it naps when she has left", stage.decided("idle", began));
    Ok(stage)
}

fn crash_at_noon() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("11:50");
    stage.visit("Ada");
    stage.until("12:00");
    let noon = stage.sandbox.now();
    stage.sandbox.fault(Fault::AppDown, true);
    stage.minutes(3);
    stage.visit("Bert");
    stage.minutes(7);
    stage.must("Bert reads that something is wrong", stage.said("overdue", noon));
    stage.must("nothing is stopped or started for it", stage.is_awake() && stage.times(Pending) == 1);
    stage.sandbox.fault(Fault::AppDown, false);
    stage.minutes(1);
    stage.must("once it runs again, Bert has it within the minute", stage.arrived("Bert").is_some());
    stage.minutes(300); // a scanner may come in between
    stage.must("and it naps when they have left", stage.decided("idle", noon));
    Ok(stage)
}

fn metrics_outage() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    stage.visit("Ada");
    stage.until("09:10");
    let began = stage.sandbox.now();
    stage.sandbox.fault(Fault::NetworkInLost, true);
    stage.minutes(180);
    stage.must("what is not known is not idleness", stage.is_awake() && stage.decided("no-data", began));
    let ended = stage.sandbox.now();
    stage.sandbox.fault(Fault::NetworkInLost, false);
    stage.minutes(50);
    stage.must("nor is it right after", stage.is_awake());
    stage.minutes(40);
    stage.must("one idle time after it, it naps", stage.is_asleep() && stage.decided("idle", ended));
    Ok(stage)
}

fn same_second() -> Result<Stage, SetupError> {
    let mut stage = Stage::new(&Setup::default())?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.visit("Ada");
    while stage.times(shared::model::InstanceState::Stopping) == 0 && stage.sandbox.now() < began + TimeDelta::hours(3)
    {
        stage.seconds(1);
    }
    let stopped = stage.sandbox.now();
    // One who comes by the instance's address, which DNS still gives, and one whose connection to the gateway stays.
    stage.visit("Bert");
    stage.sandbox.wake_call("Carla");
    stage.minutes(4);
    stage.must("the starter waits for the stop to end", stage.said("falling-asleep", stopped));
    stage.must("then it starts again", stage.times(Pending) == 2 && stage.is_awake());
    stage.must("it is started only when it has stopped", stage.since(Pending) >= stage.since(Stopped));
    stage.minutes(2);
    let seconds = stage.arrived("Bert");
    stage.must(format!("Bert has the app within 5 min: {seconds:?}"), seconds.is_some_and(|seconds| seconds <= 300));
    Ok(stage)
}

fn dst_night() -> Result<Stage, SetupError> {
    let began = DateTime::from_timestamp(1_774_720_800, 0).unwrap_or_default(); // 28 March 2026, 18:00 UTC
    let settings = [("CATNAP_KEEP_AWAKE".into(), "Sun 01:30-03:30 Europe/Berlin".into())].into();
    let mut stage = Stage::new(&Setup { began, settings, ..Setup::default() })?;
    stage.until("00:25");
    stage.must("before 01:30 in Berlin, 00:30 UTC, it naps", stage.is_asleep());
    stage.until("00:40");
    stage.must("at 01:30 it is woken", stage.is_awake() && stage.decided("window", began));
    stage.until("01:20");
    stage.must("it is kept", stage.is_awake());
    stage.until("01:29");
    let end = stage.sandbox.now();
    stage.until("02:00");
    let is_over = !stage.decided("window", end + TimeDelta::minutes(3));
    stage.must("at 03:30, one hour after 01:30, the window is over", is_over);
    stage.until("03:30");
    stage.must("then it naps", stage.is_asleep());
    Ok(stage)
}

fn host_renamed() -> Result<Stage, SetupError> {
    let new = "wiki.example.com";
    let settings = [("CATNAP_INSTANCE_ID".into(), String::new())].into(); // found by its tag
    let mut stage = Stage::new(&Setup { settings, ..Setup::default() })?;
    stage.until("09:00");
    stage.visit("Ada");
    stage.minutes(2);
    stage.must("Ada wakes it by its old name", stage.arrived("Ada").is_some());
    stage.until("12:00");
    stage.must("it naps", stage.is_asleep());
    stage.sandbox.rename(new);
    let renamed = stage.sandbox.now();
    stage.minutes(1);
    stage.visit("Bert");
    stage.minutes(1);
    stage.must(format!("{APP} is nobody's name any more"), stage.said("unknown-host", renamed) && stage.is_asleep());
    stage.sandbox.visit(Visitor { host: new.into(), ..Visitor::named("Carla") });
    stage.minutes(2);
    stage.must("the new name wakes it", stage.arrived("Carla").is_some());
    stage.minutes(90);
    stage.must("and it naps by the new name", stage.is_asleep());
    let told = stage.stopper(renamed).any(|record| record["decision"] == "nap" && record["app"] == new);
    stage.must("which the records say", told);
    Ok(stage)
}

fn slow_boot() -> Result<Stage, SetupError> {
    let phases = Phases { pending: TimeDelta::seconds(40), app_start: TimeDelta::seconds(440), ..Phases::default() };
    let settings = [("CATNAP_IDLE_MINUTES".into(), "5".into())].into();
    let mut stage = Stage::new(&Setup { phases, settings, ..Setup::default() })?;
    stage.until("09:00");
    let began = stage.sandbox.now();
    stage.visit("Ada");
    stage.minutes(12);
    stage.must("Ada reads that it takes longer than usual", stage.said("overdue", began));
    stage.must("it is not put to sleep while it boots and she waits", stage.arrived("Ada").is_some());
    stage.minutes(40);
    stage.must("it naps when she has left", stage.is_asleep());
    Ok(stage)
}
