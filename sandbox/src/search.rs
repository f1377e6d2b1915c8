//! A story told, and what must have held at its end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::model::InstanceState;
use shared::sim::Happening;
use shared::steer::LET_GO;

use crate::event::{Event, Step, What};
use crate::fault::Weather;
use crate::sandbox::{Sandbox, SetupError};
use crate::story::{Act, Deed, Story};
use crate::visitor::{LOOKS_AGAIN_AFTER, Visitor};
use crate::world::STARTER_TIMEOUT;

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

/// Tells a story, then lets all faults end, and sees whether everything comes right by itself.
///
/// # Errors
/// When its world cannot be set up.
pub fn tell(story: &Story) -> Result<Outcome, SetupError> {
    let mut run = Run { sandbox: Sandbox::new(&story.setup)?, story, events: Vec::new(), broken: Vec::new() };
    // What has happened until then is told with it, and a shorter story looked for.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        run.live_through();
        run.come_right();
    }));
    if let Err(panic) = panicked {
        run.look();
        run.broken.push(format!("a panic: {}", words(&*panic)));
    }
    let took = run.sandbox.now() - run.sandbox.began();
    Ok(Outcome { events: run.events, broken: run.broken, took })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

struct Run<'a> {
    sandbox: Sandbox,
    story: &'a Story,
    events: Vec<Event>,
    broken: Vec<String>,
}

impl Run<'_> {
    fn live_through(&mut self) {
        for (at, act, begins) in self.story.moments() {
            self.sandbox.run_until(self.story.setup.began + at);
            act.deed.act(&self.sandbox, begins);
        }
    }

    fn come_right(&mut self) {
        let bound = self.visitors_bound();
        self.run(bound);
        self.people_finish();
        self.nobody_waits_for_ever(bound);
        self.it_naps();
        self.the_next_visit_wakes_it();
        self.look();
        let told = self.events.iter().filter_map(|event| match &event.what {
            What::Broken { law } => Some(law.clone()),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        self.broken.splice(0..0, told);
        self.everybody_gets_an_answer();
        self.ticks_fail_only_in_bad_weather();
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
    /// again (5 min), the boot, the way to the app, and a page that has paused to be looked at.
    fn visitors_bound(&self) -> TimeDelta {
        let setup = &self.story.setup;
        let phases = setup.phases;
        let boots = phases.stopping + phases.pending + phases.app_start;
        let (config, threshold) = setup.check;
        let turns = TimeDelta::seconds(i64::from(config.interval_seconds * (threshold + 1)));
        let remembered = setup.ttl + TimeDelta::seconds(60 + 60);
        let polls = if self.setting("CATNAP_HANDOFF") == "poll" { 65 + 130 + 400 + 60 } else { 0 };
        let pause = TimeDelta::from_std(LOOKS_AGAIN_AFTER).unwrap_or_default();
        boots + turns * 2 + remembered + TimeDelta::minutes(5 + 2) + TimeDelta::seconds(polls) + pause
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

    /// Who had patience has the app, within the bound from their coming (or from the page on which it was gone) or from
    /// the last fault on.
    fn nobody_waits_for_ever(&mut self, bound: TimeDelta) {
        let now = self.sandbox.now();
        let mut broken = Vec::new();
        for (index, Event { at: came, what }) in self.events.iter().enumerate() {
            let What::Visitor { who, step: Step::Comes | Step::WaitsAgain } = what else { continue };
            let end = self.events[index..].iter().find_map(|event| match &event.what {
                What::Visitor { who: other, step: step @ (Step::Arrives { .. } | Step::GivesUp { .. }) } => {
                    (other == who).then_some((event.at, step))
                }
                _ => None,
            });
            let (until, there) = end.map_or((now, false), |(at, step)| (at, matches!(step, Step::Arrives { .. })));
            let law = match end {
                // Between two faults as well as after the last.
                Some(_) if there && until - *came <= bound => continue,
                _ if until - self.calm_since(*came, until) <= bound => continue,
                Some((_, Step::GivesUp { reason, .. })) => format!("{who} gave up ({reason})"),
                Some(_) => format!("{who} got the app too late"),
                None => format!("{who} still waits"),
            };
            let minutes = (until - *came).num_minutes();
            broken.push(format!("nobody waits for ever: {law} after {minutes} min"));
        }
        self.broken.extend(broken);
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

    /// The starter answers each request; only where calls take so long that its own time is over it cannot.
    fn everybody_gets_an_answer(&mut self) {
        let is_slow = |act: &Act| matches!(act.deed, Deed::Weather(_, Weather::Slow(_), _));
        self.may_fail("starter", is_slow, STARTER_TIMEOUT, "everybody gets an answer: the starter fails");
    }

    fn ticks_fail_only_in_bad_weather(&mut self) {
        let is_bad = |act: &Act| !matches!(act.deed, Deed::Tag { .. });
        let tried_again = Duration::from_secs(600);
        self.may_fail("stopper", is_bad, tried_again, "a tick fails for a reason: the stopper fails");
    }

    /// A function may fail during some acts, and for so long after them.
    fn may_fail(&mut self, function: &str, during: impl Fn(&Act) -> bool, aftermath: Duration, law: &str) {
        let acts = self.story.acts.iter().filter(|act| during(act));
        let times = acts.filter_map(|act| Some((self.story.setup.began + act.at, act.deed.lasts()?)));
        let times: Vec<_> = times.map(|(from, lasts)| from..=from + lasts + aftermath).collect();
        for Event { at, what } in &self.events {
            let What::FunctionFailed { function: failed, message } = what else { continue };
            if *failed == function && !times.iter().any(|time| time.contains(at)) {
                self.broken.push(format!("{law}: {message}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::shrink::find;

    fn story(acts: Vec<Act>) -> Story {
        Story { acts, ..Story::of(3) }
    }

    #[test]
    fn a_panic_is_a_find_and_its_story_gets_shorter_too() {
        let mut acts = Story::of(3).acts;
        let never = TimeDelta::days(200_000_000); // no calendar goes so far: the run itself panics
        acts.push(Act { at: never, deed: Deed::Tick });
        let (_, found) = find(story(acts)).unwrap();
        let found = found.unwrap();
        assert!(found.law.starts_with("a panic: "), "{}", found.law);
        assert_eq!(found.story.acts, [Act { at: never, deed: Deed::Tick }]);
    }

    #[test]
    fn a_starter_may_fail_only_where_calls_are_slow() {
        let at = |minutes| TimeDelta::minutes(minutes);
        let slow = Deed::Weather("", Weather::Slow(TimeDelta::seconds(29)), at(10));
        let bad = Deed::Fault(crate::fault::Fault::DescribeThrottled, at(60));
        let story = story(vec![Act { at: at(0), deed: bad }, Act { at: at(60), deed: slow }]);
        let sandbox = Sandbox::new(&story.setup).unwrap();
        let failed = |function, minutes| {
            let what = What::FunctionFailed { function, message: "it did".into() };
            Event { at: story.setup.began + at(minutes), what }
        };
        let events = vec![failed("starter", 65), failed("starter", 30), failed("stopper", 30), failed("stopper", 90)];
        let mut run = Run { sandbox, story: &story, events, broken: Vec::new() };
        run.everybody_gets_an_answer();
        run.ticks_fail_only_in_bad_weather();
        let [starter, stopper] = &run.broken[..] else { panic!("{:?}", run.broken) };
        assert!(starter.starts_with("everybody gets an answer") && stopper.starts_with("a tick fails"));
    }

    #[test]
    fn who_had_the_app_and_waits_again_is_not_forgotten() {
        let story = story(Vec::new());
        let sandbox = Sandbox::new(&story.setup).unwrap();
        sandbox.run(TimeDelta::hours(10));
        let mut run = Run { sandbox, story: &story, events: Vec::new(), broken: Vec::new() };
        let steps = [(0, Step::Comes), (1, Step::Arrives { after_seconds: 60 }), (2, Step::WaitsAgain)];
        for (minutes, step) in steps {
            let what = What::Visitor { who: "Ada".into(), step };
            run.events.push(Event { at: story.setup.began + TimeDelta::minutes(minutes), what });
        }
        run.nobody_waits_for_ever(run.visitors_bound());
        assert_eq!(run.broken, ["nobody waits for ever: Ada still waits after 598 min"]);
    }
}
