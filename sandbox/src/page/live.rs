//! The world on a thread of its own: time passes there, and what is asked of it is done between two beats.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response, StatusCode};
use shared::config;
use shared::model::{InstanceState, Probe};
use shared::sim::Browser;
use tokio::sync::{broadcast, oneshot};

use super::command::{self, Act, Command, SETTINGS, Tag};
use super::frame::{Decision, Frame, Kept, Phase, Switch};
use super::pace::Pace;
use super::people::People;
use super::telling::Teller;
use super::window::{self, Sent};
use super::{app, frame, pace};
use crate::event::{Got, What};
use crate::fault::Fault;
use crate::sandbox::{Sandbox, Setup, SetupError};

/// Between two beats of the world's clock, in our time.
const BEAT: Duration = Duration::from_millis(100);
/// No datapoint may be missed: they are five minutes apart.
const STEP: TimeDelta = TimeDelta::minutes(4);
/// How fast time passes at first.
const FIRST_SPEED: u32 = 60;
/// The stopper's schedule at first, in minutes.
const SCHEDULE: u32 = 5;
/// A window whose page has not asked for so long is no longer waiting.
const STILL_WAITS: Duration = Duration::from_secs(45);

/// What is asked of the world.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Something is to be done.
    Do(Command, oneshot::Sender<Result<(), String>>),
    /// The window sends a request.
    Send(Box<Request<Vec<u8>>>, oneshot::Sender<Response<Vec<u8>>>),
    /// A page wants to see: all there is as JSON, and from then on what changes.
    Watch(oneshot::Sender<(String, broadcast::Receiver<String>)>),
}

/// The world, and what the page knows of it.
#[derive(Debug)]
pub(crate) struct Live {
    sandbox: Sandbox,
    page_port: u16,
    window_port: u16,
    pace: Pace,
    browser: Browser,
    sent: Option<Sent>,
    last_sent: Instant,
    is_waiting_page: bool,
    people: People,
    settings: BTreeMap<&'static str, String>,
    schedule: u32,
    tags: BTreeSet<Tag>,
    teller: Teller,
    kept: Kept,
    fresh: Kept,
    decision: Option<Decision>,
    counts: frame::Counts,
    state: InstanceState,
    shown: String,
    watchers: broadcast::Sender<String>,
}

impl Live {
    pub(crate) fn new((page_port, window_port): (u16, u16)) -> Result<Self, SetupError> {
        let sandbox = new_world()?;
        let now = sandbox.now();
        let mut live = Self {
            page_port,
            window_port,
            pace: Pace::new(FIRST_SPEED, now),
            browser: Browser::default(),
            sent: None,
            last_sent: Instant::now(),
            is_waiting_page: false,
            people: People::new(1),
            settings: SETTINGS
                .iter()
                .map(|(setting, value)| (command::names(setting).0, (*value).to_owned()))
                .collect(),
            schedule: SCHEDULE,
            tags: BTreeSet::new(),
            teller: Teller::default(),
            kept: Kept::default(),
            fresh: Kept::default(),
            decision: None,
            counts: frame::Counts::default(),
            state: InstanceState::Stopped,
            shown: String::new(),
            watchers: broadcast::Sender::new(256),
            sandbox,
        };
        live.fresh.phases.push(Phase { at: now, state: InstanceState::Stopped });
        live.gather();
        Ok(live)
    }

    /// Lives as long as somebody may ask.
    pub(crate) fn run(mut self, asks: &Receiver<Ask>) {
        let mut last = Instant::now();
        loop {
            match asks.recv_timeout(BEAT.saturating_sub(last.elapsed())) {
                Ok(ask) => self.take(ask),
                Err(RecvTimeoutError::Timeout) => {
                    // Who opens the page later has missed nothing.
                    let is_seen = self.watchers.receiver_count() > 0;
                    let passed = if is_seen { last.elapsed() } else { Duration::ZERO };
                    last = Instant::now();
                    let until = self.pace.beat(passed, self.sandbox.now(), self.limit());
                    self.go_on(until);
                    self.show();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How fast time may be for who waits in the window, if somebody does.
    fn limit(&self) -> Option<u32> {
        let wakes = self.state != InstanceState::Stopped;
        let waits = self.is_waiting_page && wakes && self.last_sent.elapsed() < STILL_WAITS;
        waits.then(|| self.watchable())
    }

    fn watchable(&self) -> u32 {
        if self.sandbox.snapshot().app == Probe::Ready { pace::LEAVING } else { pace::WAKING }
    }

    fn go_on(&mut self, until: DateTime<Utc>) {
        while self.sandbox.now() < until {
            let next = self.people.next().unwrap_or(until).max(self.sandbox.now());
            self.sandbox.run_until((self.sandbox.now() + STEP).min(until).min(next));
            self.people.arrive(&self.sandbox);
            self.gather();
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Do(command, answer) => {
                let done = self.act(command);
                self.gather();
                self.show();
                _ = answer.send(done);
            }
            Ask::Send(request, answer) => {
                let response = self.send(*request);
                self.gather();
                self.show();
                _ = answer.send(response);
            }
            Ask::Watch(answer) => {
                self.show();
                _ = answer.send((self.all(), self.watchers.subscribe()));
            }
        }
    }

    fn act(&mut self, command: Command) -> Result<(), String> {
        let now = self.sandbox.now();
        match command {
            Command::Visit {} => self.sandbox.visit(self.people.anyone()),
            Command::Bot { kind } => {
                let (path, agent) = kind.asks();
                self.sandbox.bot(path, agent);
            }
            Command::Traffic { level } => self.people.come(level, now),
            Command::Speed { factor } => self.pace.factor = factor,
            Command::Skip { minutes } => {
                let until = self.pace.skip(TimeDelta::minutes(minutes.into()), now);
                self.go_on(until);
            }
            Command::Fault { name, on } => match Fault::ALL.into_iter().find(|fault| frame::name(fault) == name) {
                Some(fault) => self.sandbox.fault(fault, on),
                None => return Err(format!("{name} is no fault")),
            },
            Command::Act { act } => return self.operate(act),
            Command::Tag { tag, on } => self.tag(tag, on),
            Command::Set { parameter, value } => return self.set(&parameter, value),
            Command::Schedule { minutes } => {
                self.go_together(None, minutes)?;
                self.schedule = minutes;
                self.sandbox.set_schedule(TimeDelta::minutes(minutes.into()));
            }
            Command::Browser {} => {
                self.browser = Browser::default();
                (self.sent, self.is_waiting_page) = (None, false);
            }
            Command::Restart {} => return self.restart(),
        }
        // Who has just come is there before time goes on, even while it stands.
        self.sandbox.run(TimeDelta::milliseconds(1));
        Ok(())
    }

    fn operate(&self, act: Act) -> Result<(), String> {
        let refused = |_| format!("EC2 does not do that while the instance is {}", frame::name(&self.state));
        match act {
            Act::Stop => {
                let by = "Client.UserInitiatedShutdown";
                self.sandbox.turn("stopped in the console", |sim, id, _| sim.stop_by_hand(id, by)).map_err(refused)
            }
            Act::Start => {
                self.sandbox.turn("started in the console", |sim, id, _| sim.start_by_hand(id)).map_err(refused)
            }
            Act::Tick => {
                self.sandbox.tick();
                Ok(())
            }
            Act::Cold => {
                self.sandbox.forget_environments();
                self.sandbox.turn("Lambda takes all warm environments away", |_, _, _| ());
                Ok(())
            }
        }
    }

    fn tag(&mut self, tag: Tag, on: bool) {
        let name = tag.name();
        let what = if on { format!("the tag {name} is put on") } else { format!("the tag {name} is taken off") };
        self.sandbox.turn(&what, |sim, id, _| {
            sim.change(id, |instance| {
                if on {
                    instance.tags.insert(name.into(), "true".into());
                } else {
                    instance.tags.remove(name);
                }
            });
        });
        if on {
            self.tags.insert(tag);
        } else {
            self.tags.remove(&tag);
        }
    }

    fn set(&mut self, parameter: &str, value: String) -> Result<(), String> {
        let known = SETTINGS.iter().find(|(setting, _)| setting.parameter == Some(parameter));
        let Some((setting, _)) = known else {
            return Err(format!("{parameter} is no setting that can be changed here"));
        };
        let (parameter, variable) = command::names(setting);
        self.go_together(Some((parameter, &value)), self.schedule)?;
        self.sandbox.set(variable, &value).map_err(|error| error.to_string().replace(variable, parameter))?;
        self.settings.insert(parameter, value);
        Ok(())
    }

    /// Whether the template takes the settings with another value for one of them, or another schedule.
    fn go_together(&self, with: Option<(&str, &str)>, schedule: u32) -> Result<(), String> {
        let value = |setting: config::Setting| {
            let parameter = command::names(&setting).0;
            let other = with.filter(|(changed, _)| *changed == parameter).map(|(_, value)| value);
            other.or_else(|| self.settings.get(parameter).map(String::as_str)).unwrap_or_default()
        };
        command::go_together(value(config::STEER) == "true", value(config::HANDOFF), schedule)
    }

    fn restart(&mut self) -> Result<(), String> {
        let fresh = Self::new((self.page_port, self.window_port)).map_err(|error| error.to_string())?;
        let before = std::mem::replace(self, fresh);
        (self.watchers, self.pace.factor) = (before.watchers, before.pace.factor);
        _ = self.watchers.send(self.all());
        Ok(())
    }

    /// What the window's browser sends, as it would go over the real network.
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let Some(request) = window::outward(parts, body) else {
            let mut response = Response::new(b"This request cannot be passed on.\n".to_vec());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return response;
        };
        let is_page = window::is_page(request.headers());
        let answer = self.sandbox.send("you", &mut self.browser, request);
        let status = answer.as_ref().ok().map(|(_, answer)| answer.status().as_u16());
        let speed = self.pace.factor.min(self.watchable());
        let (got, response) = match answer {
            Ok((got, answer)) => (got, window::inward(answer, got, self.page_port, speed)),
            Err(why) => (Got::Nothing, window::no_answer(why, self.page_port)),
        };
        let is_app = !path.starts_with("/@"); // the API's own host is not found by failover
        let (to, way) = self.browser.last_way().filter(|_| is_app).unzip();
        self.last_sent = Instant::now();
        if is_page {
            self.is_waiting_page = got == Got::WaitingPage;
        }
        self.sent = Some(Sent { path, is_page, to, way, got, status });
        response
    }

    /// Takes in what has happened.
    fn gather(&mut self) {
        for event in self.sandbox.events() {
            self.people.note(&event.what);
            self.counts.note(&event.what);
            match &event.what {
                What::World(shared::sim::Happening::State { state, .. }) => {
                    self.state = *state;
                    self.fresh.phases.push(Phase { at: event.at, state: *state });
                }
                What::Stopper { record } => {
                    let decision = Decision::of(event.at, record, self.decision.as_ref());
                    self.decision = decision.or(self.decision.take());
                }
                _ => {}
            }
            if let Some(line) = self.teller.tell(&event) {
                self.fresh.line(line);
            }
        }
        // After an outage several can be read at once.
        let last = self.fresh.points.last().or(self.kept.points.last()).map(|point| point.at);
        let readable = self.sandbox.network_in_since(last.unwrap_or(self.sandbox.began()));
        self.fresh.points.extend(readable.into_iter().filter(|point| last.is_none_or(|last| last < point.at)));
    }

    /// Shows what is new, if anything is.
    fn show(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        let has_news = !fresh.is_empty();
        let frame = self.frame(false, &fresh);
        let json = serde_json::to_string(&frame).unwrap_or_default();
        self.kept.add(fresh);
        if has_news || json != self.shown {
            self.shown.clone_from(&json);
            _ = self.watchers.send(json);
        }
    }

    /// All there is.
    fn all(&self) -> String {
        serde_json::to_string(&self.frame(true, &self.kept)).unwrap_or_default()
    }

    fn frame<'a>(&'a self, is_whole: bool, kept: &'a Kept) -> Frame<'a> {
        Frame {
            is_whole,
            began: self.sandbox.began(),
            window_port: self.window_port,
            snapshot: self.sandbox.snapshot(),
            speed: self.pace.factor,
            effective_speed: self.pace.effective(),
            traffic: self.people.level,
            waiting: self.people.waiting(),
            settings: &self.settings,
            schedule_minutes: self.schedule,
            faults: switches(&self.sandbox.faults()),
            tags: &self.tags,
            decision: self.decision.as_ref(),
            counts: self.counts,
            sent: self.sent.as_ref(),
            kept,
        }
    }
}

fn switches(on: &BTreeSet<Fault>) -> Vec<Switch> {
    let switch = |fault: Fault| Switch { name: frame::name(&fault), words: fault.words(), on: on.contains(&fault) };
    Fault::ALL.map(switch).into()
}

fn new_world() -> Result<Sandbox, SetupError> {
    let set = |(setting, value): &(_, &str)| (command::names(setting).1.to_owned(), (*value).to_owned());
    let settings = SETTINGS.iter().map(set).chain([("CATNAP_APP_NAME".to_owned(), "Harbour".to_owned())]).collect();
    let sandbox = Sandbox::new(&Setup { settings, ..Setup::default() })?;
    sandbox.app_answers(app::answer);
    Ok(sandbox)
}
