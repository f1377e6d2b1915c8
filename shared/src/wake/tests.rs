use proptest::prelude::*;

use super::*;

const START: &str = "2026-03-01T08:00:00Z";

fn now() -> DateTime<Utc> {
    START.parse().unwrap()
}

fn instance(state: InstanceState) -> Instance {
    Instance {
        id: "i-0123456789abcdef0".parse().unwrap(),
        state,
        state_reason: None,
        stopped_at: None,
        launched_at: now() - TimeDelta::minutes(1),
        public_address: "192.0.2.1".parse().ok(),
        tags: std::collections::BTreeMap::new(),
        detailed_monitoring: false,
        spot: false,
        instance_store_root: false,
    }
}

fn seen<'a>(target: Result<&'a Instance, NoTarget>, ask: Ask) -> Observation<'a> {
    Observation {
        now: now(),
        target,
        probe: None,
        hold: Hold::No,
        ask,
        refused: None,
        boot_deadline: TimeDelta::minutes(5),
        dry_run: false,
    }
}

fn decided(observation: &Observation<'_>) -> (Action, WakeReason) {
    let decision = decide(observation);
    (decision.action, decision.reason)
}

#[test]
fn no_instance_to_decide_about() {
    let table = [
        (NoTarget::UnknownHost, WakeReason::UnknownHost),
        (NoTarget::Ambiguous, WakeReason::Ambiguous),
        (NoTarget::Trouble(Trouble::NotFound), WakeReason::Gone),
        (NoTarget::Trouble(Trouble::Malformed), WakeReason::Gone),
        (NoTarget::Trouble(Trouble::NotPermitted), WakeReason::NotPermitted),
        (NoTarget::Trouble(Trouble::Throttled), WakeReason::Unclear { trouble: Trouble::Throttled }),
        (NoTarget::Trouble(Trouble::Unreachable), WakeReason::Unclear { trouble: Trouble::Unreachable }),
    ];
    for (target, reason) in table {
        assert_eq!(decided(&seen(Err(target), Ask::Person)), (Action::Wait, reason), "{target:?}");
    }
}

#[test]
fn each_state_asked_and_not_asked() {
    use Action::{Start, Wait};
    use InstanceState as S;
    let table = [
        (S::Terminated, Ask::Person, Wait, WakeReason::Gone),
        (S::ShuttingDown, Ask::Person, Wait, WakeReason::Gone),
        (S::Stopped, Ask::No, Wait, WakeReason::Asleep),
        (S::Stopped, Ask::Request, Start, WakeReason::Waking),
        (S::Stopped, Ask::Person, Start, WakeReason::Waking),
        (S::Stopping, Ask::No, Wait, WakeReason::FallingAsleep),
        (S::Stopping, Ask::Person, Wait, WakeReason::FallingAsleep),
        (S::Pending, Ask::Person, Wait, WakeReason::Booting),
        (S::Running, Ask::Person, Wait, WakeReason::NoAddress),
    ];
    for (state, ask, action, reason) in table {
        let instance = instance(state);
        assert_eq!(decided(&seen(Ok(&instance), ask)), (action, reason), "{state:?} {ask:?}");
    }
}

#[test]
fn on_hold_it_sleeps_whoever_asks_and_while_awake_it_serves() {
    let until = Some(now() + TimeDelta::hours(2));
    for (state, reason) in [
        (InstanceState::Stopped, WakeReason::OnHold { until }),
        (InstanceState::Stopping, WakeReason::OnHold { until }),
        (InstanceState::Pending, WakeReason::Booting),
    ] {
        let instance = instance(state);
        let held = Observation { hold: Hold::Yes { until }, ..seen(Ok(&instance), Ask::Person) };
        assert_eq!(decided(&held), (Action::Wait, reason), "{state:?}");
    }
}

#[test]
fn a_start_that_ec2_took_and_could_not_carry_out() {
    let failures = [
        ("Client.InternalError", true),
        ("Client.VolumeLimitExceeded", false),
        ("Client.InvalidSnapshot.NotFound", true),
        ("Server.InternalError", false),
        ("Server.InsufficientInstanceCapacity", false),
    ];
    for (code, lasting) in failures {
        let mut instance = instance(InstanceState::Stopped);
        instance.state_reason = Some(code.into());
        let retry_at = instance.launched_at + TimeDelta::minutes(5);
        let failed = WakeReason::StartFailed { code: code.into(), retry_at, lasting };
        assert_eq!(decided(&seen(Ok(&instance), Ask::No)), (Action::Wait, failed.clone()), "{code}");
        assert_eq!(decided(&seen(Ok(&instance), Ask::Request)), (Action::Wait, failed), "{code}");
        assert_eq!(decided(&seen(Ok(&instance), Ask::Person)).0, Action::Start, "{code}: the button");
        let later = Observation { now: retry_at, ..seen(Ok(&instance), Ask::Request) };
        assert_eq!(decided(&later).0, Action::Start, "{code}: after five minutes");
    }
}

#[test]
fn a_stop_that_someone_wanted_is_no_failure() {
    for code in ["Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown", "Server.ScheduledStop"] {
        let mut instance = instance(InstanceState::Stopped);
        instance.state_reason = Some(code.into());
        assert_eq!(decided(&seen(Ok(&instance), Ask::Request)).0, Action::Start, "{code}");
    }
}

#[test]
fn running_is_not_ready_before_the_app_answers() {
    let running = instance(InstanceState::Running);
    for probe in [Probe::Refused, Probe::TimedOut, Probe::TlsFailed, Probe::Unwell(502), Probe::Broken] {
        let young = Observation { probe: Some(probe), ..seen(Ok(&running), Ask::Request) };
        assert_eq!(decided(&young), (Action::Wait, WakeReason::StartingApp { probe }));
        let at_the_deadline = Observation { now: running.launched_at + TimeDelta::minutes(5), ..young.clone() };
        assert_eq!(decided(&at_the_deadline), (Action::Wait, WakeReason::StartingApp { probe }));
        let running_for = TimeDelta::minutes(5) + TimeDelta::seconds(1);
        let old = Observation { now: running.launched_at + running_for, ..young };
        assert_eq!(decided(&old), (Action::Wait, WakeReason::Overdue { probe, running: running_for }));
    }
    let ready = Observation { probe: Some(Probe::Ready), ..seen(Ok(&running), Ask::No) };
    assert_eq!(decided(&ready), (Action::HandOff, WakeReason::Ready));
}

#[test]
fn a_dry_run_starts_nothing_and_says_so_to_everybody() {
    let stopped = instance(InstanceState::Stopped);
    for ask in [Ask::No, Ask::Request, Ask::Person] {
        let dry = Observation { dry_run: true, ..seen(Ok(&stopped), ask) };
        assert_eq!(decided(&dry), (Action::Wait, WakeReason::DryRun));
    }
}

#[test]
fn a_start_refused_just_now_is_told_and_not_repeated_unless_a_person_asks() {
    let stopped = instance(InstanceState::Stopped);
    let refused = |ask| Observation { refused: Some(Trouble::Capacity), ..seen(Ok(&stopped), ask) };
    assert_eq!(decided(&refused(Ask::No)), (Action::Wait, WakeReason::WaitingForCapacity));
    assert_eq!(decided(&refused(Ask::Request)), (Action::Wait, WakeReason::WaitingForCapacity));
    assert_eq!(decided(&refused(Ask::Person)), (Action::Start, WakeReason::Waking));
    let raced = Observation { refused: Some(Trouble::WrongState), ..seen(Ok(&stopped), Ask::Request) };
    assert_eq!(decided(&raced).0, Action::Start, "it has stopped since");
}

#[test]
fn what_a_refused_start_comes_down_to() {
    let table = [
        (Trouble::Capacity, WakeReason::WaitingForCapacity, true),
        (Trouble::Quota, WakeReason::WaitingForQuota, true),
        (Trouble::Throttled, WakeReason::AlreadyWaking, true),
        (Trouble::WrongState, WakeReason::FallingAsleep, false),
        (Trouble::NotFound, WakeReason::Gone, false),
        (Trouble::Malformed, WakeReason::Gone, false),
        (Trouble::NotPermitted, WakeReason::NotPermitted, false),
        (Trouble::Spot, WakeReason::StartRefused { trouble: Trouble::Spot, lasting: true }, false),
        (Trouble::Unsupported, WakeReason::StartRefused { trouble: Trouble::Unsupported, lasting: true }, false),
        (Trouble::StopProtected, WakeReason::StartRefused { trouble: Trouble::StopProtected, lasting: true }, false),
        (Trouble::Unreachable, WakeReason::StartRefused { trouble: Trouble::Unreachable, lasting: false }, true),
        (Trouble::Unexpected, WakeReason::StartRefused { trouble: Trouble::Unexpected, lasting: false }, true),
    ];
    for (trouble, reason, asks_again) in table {
        assert_eq!(after_refused_start(trouble), reason);
        assert_eq!(reason.can_wake(), asks_again, "{reason:?}");
    }
}

proptest! {
    #[test]
    fn start_is_called_only_on_a_stopped_instance_that_someone_asked_for(
        state in prop::sample::select(vec![
            InstanceState::Pending, InstanceState::Running, InstanceState::Stopping,
            InstanceState::Stopped, InstanceState::ShuttingDown, InstanceState::Terminated,
        ]),
        ask in prop::sample::select(vec![Ask::No, Ask::Request, Ask::Person]),
        held in any::<bool>(),
        dry_run in any::<bool>(),
        age in 0i64..100_000,
        code in prop::option::of(prop::sample::select(vec!["Client.InternalError", "Client.UserInitiatedShutdown"])),
    ) {
        let mut instance = instance(state);
        instance.launched_at = now() - TimeDelta::seconds(age);
        instance.state_reason = code.map(Into::into);
        let hold = if held { Hold::Yes { until: None } } else { Hold::No };
        let observation = Observation { hold, dry_run, ..seen(Ok(&instance), ask) };
        let decision = decide(&observation);
        if decision.action == Action::Start {
            prop_assert_eq!(state, InstanceState::Stopped);
            prop_assert!(ask != Ask::No && !held && !dry_run);
        }
        prop_assert_eq!(&decision, &decide(&observation), "same input, same decision");
    }
}
