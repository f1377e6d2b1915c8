//! The search for faults: stories from seeds, the laws over them, and the shortest story that breaks one.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::model::InstanceState;
use shared::sim::Happening;
use shared::steer::LET_GO;

use crate::event::{Event, Step, What};
use crate::sandbox::{Sandbox, SetupError};
use crate::story::{Act, Deed, Story};
use crate::visitor::Visitor;

/// What came of a story.
#[derive(Debug)]
pub struct Outcome {
    /// All that happened.
    pub events: Vec<Event>,
    /// The laws that were broken, in words.
    pub broken: Vec<String>,
    /// How much of the world's time it took.
    pub took: TimeDelta,
}

/// A story that breaks a law, and the shortest one found that breaks it as well.
#[derive(Debug)]
pub struct Find {
    /// The law.
    pub law: String,
    /// The shortest story.
    pub story: Story,
    /// What happened in it.
    pub outcome: Outcome,
    /// How many stories were tried to find it.
    pub tried: usize,
}

/// Tells a story, then lets all faults end, and sees whether everything comes right by itself.
///
/// # Errors
/// When its world cannot be set up.
pub fn tell(story: &Story) -> Result<Outcome, SetupError> {
    let sandbox = Sandbox::new(&story.setup)?;
    let mut moments: Vec<(TimeDelta, &Act, bool)> = Vec::new();
    for act in &story.acts {
        moments.push((act.at, act, true));
        moments.extend(act.deed.lasts().map(|lasts| (act.at + lasts, act, false)));
    }
    moments.sort_by_key(|(at, _, _)| *at);
    for (at, act, begins) in moments {
        sandbox.run_until(story.setup.began + at);
        act.deed.act(&sandbox, begins);
    }
    let mut run = Run { sandbox, story, events: Vec::new(), broken: Vec::new() };
    run.come_right();
    let took = run.sandbox.now() - run.sandbox.began();
    Ok(Outcome { events: run.events, broken: run.broken, took })
}

struct Run<'a> {
    sandbox: Sandbox,
    story: &'a Story,
    events: Vec<Event>,
    broken: Vec<String>,
}

impl Run<'_> {
    fn come_right(&mut self) {
        let bound = self.visitors_bound();
        self.run(bound);
        self.nobody_waits_for_ever(bound);
        self.people_finish();
        self.it_naps();
        self.the_next_visit_wakes_it();
        self.look();
        let told = self.events.iter().filter_map(|event| match &event.what {
            What::Broken { law } => Some(law.clone()),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        self.broken.splice(0..0, told);
        self.functions_fail_only_in_bad_weather();
        self.only_people_wake_it();
    }

    fn run(&mut self, time: TimeDelta) {
        self.sandbox.run(time);
        self.look();
    }

    fn look(&mut self) {
        self.events.extend(self.sandbox.events());
    }

    /// How long a visitor may wait once nothing is wrong any more: for a stop to end, a start that failed to be tried
    /// again (5 min), the boot, and the way to the app.
    fn visitors_bound(&self) -> TimeDelta {
        let setup = &self.story.setup;
        let phases = setup.phases;
        let boots = phases.stopping + phases.pending + phases.app_start;
        let (config, threshold) = setup.check;
        let turns = TimeDelta::seconds(i64::from(config.interval_seconds * (threshold + 1)));
        let remembered = setup.ttl + TimeDelta::seconds(60 + 60);
        let polls = if self.setting("CATNAP_HANDOFF") == "poll" { 65 + 130 + 400 + 60 } else { 0 };
        boots + turns * 2 + remembered + TimeDelta::minutes(5 + 2) + TimeDelta::seconds(polls)
    }

    fn setting(&self, name: &str) -> &str {
        self.story.setup.settings.get(name).map_or("", String::as_str)
    }

    fn is_dry_run(&self) -> bool {
        self.setting("CATNAP_DRY_RUN") == "true"
    }

    fn is_on(&self) -> bool {
        matches!(self.sandbox.snapshot().state, InstanceState::Pending | InstanceState::Running)
    }

    /// Who had patience has the app, within the bound from their coming or from the last fault on.
    fn nobody_waits_for_ever(&mut self, bound: TimeDelta) {
        let now = self.sandbox.now();
        let came = self.events.iter().filter_map(|event| match &event.what {
            What::Visitor { who, step: Step::Comes } => Some((who.clone(), event.at)),
            _ => None,
        });
        for (who, came) in came.collect::<Vec<_>>() {
            let end = self.events.iter().find_map(|event| match &event.what {
                What::Visitor { who: other, step: step @ (Step::Arrives { .. } | Step::GivesUp { .. }) } => {
                    (*other == who).then_some((event.at, step))
                }
                _ => None,
            });
            let (until, there) = end.map_or((now, false), |(at, step)| (at, matches!(step, Step::Arrives { .. })));
            let law = match end {
                // Between two faults as well as after the last.
                Some(_) if there && until - came <= bound => continue,
                _ if until - self.calm_since(came, until) <= bound => continue,
                Some((_, Step::GivesUp { reason, .. })) => format!("{who} gave up ({reason})"),
                Some(_) => format!("{who} got the app too late"),
                None => format!("{who} still waits"),
            };
            let minutes = (until - came).num_minutes();
            self.broken.push(format!("nobody waits for ever: {law} after {minutes} min"));
        }
    }

    /// Since when nothing has been wrong at `until`, for someone who came at `came`.
    fn calm_since(&self, came: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let began = self.story.setup.began;
        let in_the_way = |act: &&Act| !matches!(act.deed, Deed::Tag { name, .. } if name != "catnap:hold");
        let faults = self.story.acts.iter().filter(in_the_way).filter_map(|act| Some((act.at, act.deed.lasts()?)));
        let ends = faults.filter(|(from, _)| began + *from <= until).map(|(from, lasts)| began + from + lasts);
        let calm = ends.max().map_or(came, |end| end.max(came));
        if self.is_dry_run() { calm.max(self.slept_until(until)) } else { calm }
    }

    /// When it was last asleep up to `until`: in a dry run nobody is waited for before somebody else starts it.
    fn slept_until(&self, until: DateTime<Utc>) -> DateTime<Utc> {
        let states = self.events.iter().filter(|event| event.at <= until).filter_map(|event| match &event.what {
            What::World(Happening::State { state, .. }) => Some((event.at, *state)),
            _ => None,
        });
        let is_on = |state| matches!(state, InstanceState::Pending | InstanceState::Running);
        states
            .fold((until, false), |(since, was_on), (at, state)| match (was_on, is_on(state)) {
                (true, true) => (since, true),
                (_, true) => (at, true),
                (_, false) => (until, false),
            })
            .0
    }

    /// Lets those finish who have the app.
    fn people_finish(&mut self) {
        for _ in 0..200 {
            let done = |name: &str| {
                self.events.iter().any(|event| match &event.what {
                    What::Visitor { who, step: Step::Leaves | Step::GivesUp { .. } } => who == name,
                    _ => false,
                })
            };
            let all_done = self.events.iter().all(|event| match &event.what {
                What::Visitor { who, step: Step::Comes } => done(who),
                _ => true,
            });
            if all_done {
                break;
            }
            self.run(TimeDelta::minutes(5));
        }
    }

    /// With nobody there it naps within IdleMinutes and two ticks, and what the metrics take; unless the stopper has
    /// a reason to keep it, which is newer than that.
    fn it_naps(&mut self) {
        let setup = &self.story.setup;
        let ticks = setup.schedule * 2;
        let known_late = setup.metric_delay + TimeDelta::minutes(5);
        let mut bound = self.sandbox.idle() + ticks + known_late + setup.phases.stopping;
        if self.setting("CATNAP_STEER") == "true" {
            bound += LET_GO + known_late + ticks; // they are led away, and the last of them has to be seen
        }
        let began = self.sandbox.now();
        // A scanner may keep it, and comes again.
        for _ in 0..60 {
            self.run(bound);
            if !self.is_on() {
                return self.run(setup.phases.stopping);
            }
            let Some((reason, at)) = self.kept_for() else { break };
            if self.is_dry_run() && self.would_nap() {
                return;
            }
            let is_a_reason = match reason.as_str() {
                "active" | "recent" | "busy" => at.is_some_and(|at| self.sandbox.now() - at < bound),
                "window" => true,
                "idle" => self.setting("CATNAP_STEER") == "true", // visitors are being led away
                "sick" => self.setting("CATNAP_ON_SICK") == "keep",
                _ => false,
            };
            if !is_a_reason {
                break;
            }
            bound = bound.min(TimeDelta::hours(3));
        }
        let (now, kept) = (self.sandbox.now(), self.kept_for());
        self.broken
            .push(format!("it naps when nobody is there: {} min, kept for {kept:?}", (now - began).num_minutes()));
    }

    fn last_decision(&self) -> Option<&Value> {
        self.events.iter().rev().find_map(|event| match &event.what {
            What::Stopper { record } if record.get("decision").is_some() => Some(record),
            _ => None,
        })
    }

    /// What a dry run comes to.
    fn would_nap(&self) -> bool {
        self.last_decision().is_some_and(|last| last["decision"] == "nap" && last["outcome"] == "dry-run")
    }

    /// The reason of the last decision, and the sign of life that it names.
    fn kept_for(&self) -> Option<(String, Option<DateTime<Utc>>)> {
        let last = self.last_decision()?;
        let time = |field: &str| last.get(field).and_then(Value::as_str)?.parse().ok();
        let at = time("at").or_else(|| time("until")).or_else(|| time("launched_at"));
        Some((last["reason"].as_str().unwrap_or_default().into(), at))
    }

    fn the_next_visit_wakes_it(&mut self) {
        let (bound, sleeps) = (self.visitors_bound(), !self.is_on());
        self.sandbox.visit(Visitor { patience: bound, pages: 1, ..Visitor::named("the last visitor") });
        self.run(bound + TimeDelta::minutes(2));
        let is_told_why = |reason: &str| self.is_dry_run() && sleeps && matches!(reason, "dry-run" | "start-failed");
        let comes_right = self.events.iter().any(|event| match &event.what {
            What::Visitor { who, step: Step::Arrives { .. } } => who == "the last visitor",
            What::Visitor { who, step: Step::GivesUp { reason, .. } } => {
                who == "the last visitor" && is_told_why(reason)
            }
            _ => false,
        });
        if !comes_right {
            self.broken.push("the pair recovers: the last visitor does not get the app".into());
        }
    }

    /// The starter starts it while someone is there, or for the wake call of a page, or for one of `WakePaths`; never
    /// for bots alone.
    fn only_people_wake_it(&mut self) {
        let may_wake = |act: &&Act| match act.deed {
            Deed::WakeCall => self.setting("CATNAP_WAKE_ON") != "click",
            Deed::Hook => !self.setting("CATNAP_WAKE_PATHS").is_empty(),
            _ => false,
        };
        let calls = self.story.acts.iter().filter(may_wake);
        let calls: Vec<_> = calls.map(|act| self.story.setup.began + act.at).collect();
        let mut there = 0_usize;
        for Event { at, what } in &self.events {
            match what {
                What::Visitor { step: Step::Comes, .. } => there += 1,
                What::Visitor { step: Step::Leaves | Step::GivesUp { .. }, .. } => there = there.saturating_sub(1),
                What::Call { by: "starter", operation: "StartInstances", .. } if there == 0 => {
                    let called = |call: &DateTime<Utc>| (*call..*call + TimeDelta::seconds(60)).contains(at);
                    if !calls.iter().any(called) {
                        self.broken.push(format!("only people wake it: started for nobody at {at}"));
                    }
                }
                _ => {}
            }
        }
    }

    fn functions_fail_only_in_bad_weather(&mut self) {
        let may_fail = |act: &&Act| !matches!(act.deed, Deed::Tag { .. });
        let faults = self.story.acts.iter().filter(may_fail).filter_map(|act| Some((act.at, act.deed.lasts()?)));
        let faults: Vec<_> = faults.collect();
        let began = self.story.setup.began;
        for Event { at, what } in &self.events {
            let What::FunctionFailed { function, message } = what else { continue };
            let aftermath = TimeDelta::minutes(10); // of a tick that is tried again
            let in_bad_weather = faults.iter().any(|(from, lasts)| {
                let from = began + *from;
                (from..=from + *lasts + aftermath).contains(at)
            });
            if !in_bad_weather {
                self.broken.push(format!("a function fails for a reason: {function}: {message}"));
            }
        }
    }
}

/// The law alone, without what is particular to one story.
fn kind(law: &str) -> &str {
    law.split(|c: char| c.is_ascii_digit()).next().unwrap_or(law).split(": ").next().unwrap_or(law)
}

/// Looks whether the story of this seed breaks a law, and if so for the shortest one that breaks it.
///
/// # Errors
/// When its world cannot be set up.
pub fn search(seed: u64) -> Result<(TimeDelta, Option<Find>), SetupError> {
    let story = Story::of(seed);
    let outcome = tell(&story)?;
    let took = outcome.took;
    let Some(law) = outcome.broken.first().map(|law| kind(law).to_owned()) else { return Ok((took, None)) };
    Ok((took, Some(shrink(story, outcome, law)?)))
}

/// Leaves out acts as long as the law is still broken: halves first, then less and less.
fn shrink(mut story: Story, mut outcome: Outcome, law: String) -> Result<Find, SetupError> {
    let mut tried = 1;
    let mut size = story.acts.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut shorter) = (0, false);
        while from < story.acts.len() {
            let mut acts = story.acts.clone();
            acts.drain(from..(from + size).min(acts.len()));
            let candidate = Story { acts, ..story.clone() };
            let told = tell(&candidate)?;
            tried += 1;
            if told.broken.iter().any(|broken| kind(broken) == law) {
                (story, outcome, shorter) = (candidate, told, true);
            } else {
                from += size;
            }
        }
        if size == 1 && !shorter {
            break;
        }
        size = (size / 2).max(1);
    }
    let law = outcome.broken.iter().find(|broken| kind(broken) == law).cloned().unwrap_or(law);
    Ok(Find { law, story, outcome, tried })
}
