//! An instance: what EC2 and the app on it do with time.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand_xorshift::XorShiftRng;

use super::event::Happening;
use super::traffic::{self, SCANNERS};
use crate::model::{CheckKind, Instance, InstanceState, Probe};
use crate::trouble::Trouble;

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Phases {
    /// From StartInstances to `running`.
    pub pending: TimeDelta,
    /// From `running` to the app's first answer.
    pub app_start: TimeDelta,
    /// From StopInstances to `stopped`.
    pub stopping: TimeDelta,
}

impl Default for Phases {
    fn default() -> Self {
        Self { pending: TimeDelta::seconds(15), app_start: TimeDelta::seconds(25), stopping: TimeDelta::seconds(30) }
    }
}

/// Takes what happens.
pub(super) type Tell<'a> = &'a mut dyn FnMut(Happening);

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) instance: Instance,
    pub(super) phases: Phases,
    /// When the current phase ends, and with which state.
    pub(super) next: Option<(DateTime<Utc>, InstanceState)>,
    /// What the app answers once it is up.
    pub(super) app: Probe,
    /// The `StateReason` with which a start that EC2 has taken comes to nothing, e.g. `Client.InternalError`.
    pub(super) starts_fail: Option<&'static str>,
    /// Whether the app answered when it was last looked at.
    answered: bool,
    /// As it was before its last change, and when that was: what DescribeInstances may still show.
    pub(super) before: Option<(DateTime<Utc>, Box<Instance>)>,
    /// What comes in; none where a test sets the metrics by hand.
    pub(super) meter: Option<Meter>,
}

impl Machine {
    pub(super) fn new(instance: Instance, phases: Phases) -> Self {
        Self {
            instance,
            phases,
            next: None,
            app: Probe::Ready,
            starts_fail: None,
            answered: false,
            before: None,
            meter: None,
        }
    }

    /// When something will happen here.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        let app_up = self.app_up_at().filter(|_| !self.answered && self.app == Probe::Ready);
        [self.next.map(|(at, _)| at), app_up].into_iter().flatten().min()
    }

    /// Goes on to the next phase if it is time, and tells what changed.
    pub(super) fn catch_up(&mut self, now: DateTime<Utc>, tell: Tell<'_>) {
        if let Some((at, state)) = self.next.take_if(|(at, _)| *at <= now) {
            self.remember(at);
            self.instance.state = state;
            self.tell_state(tell);
        }
        self.look_at_app(now, tell);
    }

    /// Tells when the app has begun or ceased to answer.
    pub(super) fn look_at_app(&mut self, now: DateTime<Utc>, tell: Tell<'_>) {
        let answers = self.probe(now) == Probe::Ready;
        if answers != self.answered {
            self.answered = answers;
            tell(Happening::App { instance: self.instance.id.clone(), answers });
        }
    }

    fn tell_state(&self, tell: Tell<'_>) {
        let Instance { id, state, state_reason, .. } = &self.instance;
        tell(Happening::State { instance: id.clone(), state: *state, why: state_reason.clone() });
    }

    fn remember(&mut self, at: DateTime<Utc>) {
        self.before = Some((at, Box::new(self.instance.clone())));
    }

    /// StartInstances.
    pub(super) fn start(&mut self, now: DateTime<Utc>, tell: Tell<'_>) -> Result<(), Trouble> {
        match self.instance.state {
            InstanceState::Running | InstanceState::Pending => Ok(()),
            InstanceState::Stopped => {
                self.remember(now);
                self.instance.state = InstanceState::Pending;
                self.instance.state_reason = None;
                self.instance.stopped_at = None;
                self.instance.launched_at = now.trunc_subsecs(0);
                self.tell_state(tell);
                self.next = Some((now + self.phases.pending, InstanceState::Running));
                if let Some(reason) = self.starts_fail {
                    self.instance.state_reason = Some(reason.into());
                    self.next = Some((now + self.phases.pending, InstanceState::Stopped));
                }
                Ok(())
            }
            _ => Err(Trouble::WrongState),
        }
    }

    /// StopInstances, or a shutdown from within; `reason` is what EC2 tells of it.
    pub(super) fn stop(&mut self, now: DateTime<Utc>, reason: &str, tell: Tell<'_>) -> Result<(), Trouble> {
        match self.instance.state {
            InstanceState::Stopping | InstanceState::Stopped => Ok(()),
            InstanceState::Running => {
                self.remember(now);
                self.instance.state = InstanceState::Stopping;
                self.instance.state_reason = Some(reason.into());
                self.instance.stopped_at = Some(now.trunc_subsecs(0)); // the text of StateTransitionReason has seconds
                self.next = Some((now + self.phases.stopping, InstanceState::Stopped));
                self.tell_state(tell);
                self.look_at_app(now, tell);
                Ok(())
            }
            _ => Err(Trouble::WrongState),
        }
    }

    fn app_up_at(&self) -> Option<DateTime<Utc>> {
        let boots = matches!(self.instance.state, InstanceState::Pending | InstanceState::Running);
        boots.then(|| self.instance.launched_at + self.phases.pending + self.phases.app_start)
    }

    /// What a checker of this kind finds. It does not validate certificates, and by TCP it is content with an open port.
    pub(super) fn passes_check(&self, kind: CheckKind, now: DateTime<Utc>) -> bool {
        match (self.probe(now), kind) {
            (Probe::Ready | Probe::TlsFailed, _) | (Probe::Unwell(_) | Probe::Broken, CheckKind::Tcp) => true,
            (Probe::Unwell(_) | Probe::Broken | Probe::Refused | Probe::TimedOut, _) => false,
        }
    }

    /// What an HTTP client gets from the app.
    pub(super) fn probe(&self, now: DateTime<Utc>) -> Probe {
        match self.instance.state {
            InstanceState::Running if self.app_up_at().is_some_and(|up| now < up) => Probe::Refused,
            InstanceState::Running => self.app,
            _ => Probe::TimedOut,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.instance.state == InstanceState::Running
    }

    /// Bytes come in, if it is on.
    pub(super) fn receive(&mut self, bytes: f64, by: By) {
        let running = self.is_running();
        if let Some(meter) = self.meter.as_mut().filter(|_| running) {
            meter.minute.add(bytes, by);
        }
    }
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Noise,
    People,
}

/// Counts what comes in, as EC2 does for CloudWatch.
#[derive(Debug)]
pub(super) struct Meter {
    rng: XorShiftRng,
    /// Minutes until the next scanner of each kind.
    scanners: [f64; SCANNERS.len()],
    minute: Count,
    five: Count,
}

/// What came in within some time, and what of it people sent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    pub(super) bytes: f64,
    pub(super) people: f64,
    /// For how much of the time it was on.
    on: bool,
}

impl Count {
    fn add(&mut self, bytes: f64, by: By) {
        self.on = true;
        self.bytes += bytes;
        self.people += if by == By::People { bytes } else { 0.0 };
    }
}

impl Meter {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = traffic::random(seed, "scanners");
        let scanners = SCANNERS.map(|scanners| traffic::until_next(&mut rng, scanners.every));
        Self { rng, scanners, minute: Count::default(), five: Count::default() }
    }

    /// What has come in so far in the running five minutes; none while it was not on.
    pub(super) fn so_far(&self) -> Option<f64> {
        self.five.on.then_some(self.five.bytes)
    }

    /// A minute ends. Gives its count and, where five end with it, theirs; none for a time of no running, which has
    /// no datapoint in CloudWatch.
    pub(super) fn minute_ends(&mut self, is_running: bool, five_end: bool) -> [Option<Count>; 2] {
        let background = traffic::background(&mut self.rng);
        let mut bytes = background;
        for (next, scanners) in self.scanners.iter_mut().zip(SCANNERS) {
            *next -= 1.0;
            if *next <= 0.0 {
                *next = traffic::until_next(&mut self.rng, scanners.every);
                bytes += scanners.bytes(&mut self.rng);
            }
        }
        if is_running {
            self.minute.add(bytes, By::Noise);
        }
        let minute = std::mem::take(&mut self.minute);
        self.five = Count {
            bytes: self.five.bytes + minute.bytes,
            people: self.five.people + minute.people,
            on: self.five.on || minute.on,
        };
        let five = five_end.then(|| std::mem::take(&mut self.five));
        [Some(minute), five].map(|count| count.filter(|count| count.on))
    }
}
