//! The commands that look at an account, or act in it.

use chrono::{DateTime, Utc};
use shared::config::{self, Handoff};
use shared::model::{Hold, InstanceState};
use starter::HttpApp;

use crate::account::{Account, Session, SetUp, SetUpError};
use crate::arguments::{Command, Of, Output, Until};
use crate::doctor::Facts;
use crate::drill::times::seconds;
use crate::drill::{self, Clock, Drilled, Step};
use crate::status::Status;
use crate::terminal::{clear_screen, patiently, say, talk};
use crate::verbs::{self, Act, TagChange};
use crate::{Failure, complain, doctor, status};

/// What an instance is told of that no force stops.
const NEVER: &str = "\na stop would lose it, or EC2 refuses one: catnap doctor says more";

pub(crate) async fn run(session: &Session, command: Command) -> Result<u8, Failure> {
    let account = Account::new(session.open().await?);
    match command {
        Command::Doctor { of, strict, output } => {
            let set_up = account.set_up(of.into()).await?;
            let facts = patiently("Looking at the account", account.facts(set_up)).await;
            let facts = Facts { profile: session.profile.clone(), ..facts };
            let findings = doctor::examine(&facts);
            match output {
                Output::Text => say(&doctor::print::text(&facts, &findings))?,
                Output::Json => say(&format!("{:#}\n", doctor::print::json(&facts, &findings)))?,
            }
            Ok(doctor::exit_status(&findings, strict))
        }
        Command::Status { of, watch, output } => status(session, &of, watch, output).await,
        Command::Wake { of, force, dry_run } => {
            let set_up = located(&account, of, false).await?;
            let (instance, overrides) = account.instance(&set_up).await?;
            let act = verbs::wake(instance.state, overrides.hold, force);
            match act {
                Act::Start | Act::StartOnceStopped if dry_run => tell(&set_up, "would be started"),
                Act::Start => {
                    account.start(&instance).await?;
                    tell(&set_up, "is waking up")
                }
                Act::StartOnceStopped => {
                    let start = account.start_once_stopped(&set_up, &instance);
                    patiently("It is just falling asleep, and will be woken at once", start).await?;
                    tell(&set_up, "is waking up")
                }
                other => without(&set_up, other),
            }
        }
        Command::Nap { of, force, dry_run } => {
            let set_up = located(&account, of, true).await?;
            say_by_what(&set_up);
            let (instance, _) = account.instance(&set_up).await?;
            let now = Utc::now();
            let report = patiently("Looking whether someone uses it", account.decision(&set_up, now)).await?;
            match verbs::nap(&instance, &report.decision, now, force) {
                Act::Stop if dry_run => tell(&set_up, "would be stopped"),
                Act::Stop => {
                    account.stop(&report.instance).await?;
                    tell(&set_up, "is falling asleep")
                }
                Act::Refuse(why) if instance.state == InstanceState::Running => Err(Failure::Refused(format!(
                    "{} is not stopped: {why}\n{}; --force stops it all the same",
                    set_up.host, report.outlook.words
                ))),
                Act::Never(why) => Err(Failure::Refused(format!("{} is not stopped: {why}{NEVER}", set_up.host))),
                other => without(&set_up, other),
            }
        }
        Command::KeepAwake { of, until, off, dry_run } => {
            let now = Utc::now();
            let until = if off { None } else { end(&until, now)? };
            change(&account, of, &verbs::keep_awake(until, now), dry_run).await
        }
        Command::Protect { of, off, dry_run } => change(&account, of, &verbs::protect(off), dry_run).await,
        Command::Hold { of, until, off, dry_run } => {
            let now = Utc::now();
            change(&account, of, &verbs::hold(off, end(&until, now)?, now), dry_run).await
        }
        Command::Plan { fetch, options, output, svg, .. } => {
            let days = fetch.days;
            let set_up = located(&account, fetch.into(), false).await?;
            let fetched = patiently("Fetching metrics", account.traffic(&set_up, Utc::now(), days)).await?;
            let (name, recording, found) = fetched;
            crate::show_plan(&name, &recording, &options.or(found), output, svg.as_deref())
        }
        Command::Drill { of, force, dry_run, output } => drill(&account, of, force, dry_run, output).await,
        Command::Completions { .. } => Ok(0), // done without an account
    }
}

async fn status(session: &Session, of: &Of, watch: Option<u64>, output: Output) -> Result<u8, Failure> {
    let mut is_first = true;
    loop {
        match looked_at(session, of).await {
            Ok((all, now)) => {
                if watch.is_some() {
                    clear_screen()?;
                }
                match output {
                    Output::Text => say(&status::text(&all, now))?,
                    Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
                }
            }
            // What was shown once may be shown again: a call that fails is no end of it.
            Err(error) if !is_first => complain(&error),
            Err(error) => return Err(error),
        }
        is_first = false;
        let Some(seconds) = watch else { return Ok(0) };
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    }
}

/// Anew each time: credentials run out, and stacks are changed.
async fn looked_at(session: &Session, of: &Of) -> Result<(Vec<Status>, DateTime<Utc>), Failure> {
    let account = Account::new(session.open().await?);
    let set_up = located(&account, of.clone(), true).await?;
    let now = Utc::now();
    let all = patiently("Looking at the instances", account.status(&set_up, now)).await?;
    if all.is_empty() && (set_up.is_one_app || set_up.instance.is_some()) {
        return Err(SetUpError::NoInstance(set_up.host).into());
    }
    Ok((all, now))
}

async fn drill(account: &Account, of: Of, force: bool, dry_run: bool, output: Output) -> Result<u8, Failure> {
    let set_up = located(account, of, true).await?;
    say_by_what(&set_up);
    let (instance, overrides) = account.instance(&set_up).await?;
    let now = Utc::now();
    let report = patiently("Looking whether someone uses it", account.decision(&set_up, now)).await?;
    let refuse = |why: String| Err(Failure::Refused(format!("{} {why}", set_up.host)));
    if let Hold::Yes { .. } = overrides.hold {
        return refuse("is on hold, so nothing would wake it: catnap hold --off".into());
    }
    let config = set_up.config().map_err(SetUpError::from)?;
    if config.dry_run {
        return refuse("is in a dry run, so nothing would wake it: deploy with DryRun=false".into());
    }
    match verbs::nap(&instance, &report.decision, now, force) {
        Act::Never(why) => return refuse(format!("is not drilled: {why}{NEVER}")),
        Act::Refuse(why) => return refuse(format!("is not drilled: {why}")),
        _ if instance.state == InstanceState::Stopping => return refuse("is just falling asleep: try again".into()),
        _ if dry_run => return tell(&set_up, "would be drilled"),
        _ => {}
    }
    let Some(address) = instance.public_address else {
        return refuse("has no Elastic IP: catnap doctor says how to mend that".into());
    };
    let drilled = Drilled {
        host: set_up.host.clone(),
        instance: instance.id.clone(),
        address,
        bridged: config.handoff == Handoff::Bridge && config.origin.tls,
    };
    let sleep = async |time: chrono::TimeDelta| tokio::time::sleep(time.to_std().unwrap_or_default()).await;
    let clock = Clock { now: Utc::now, sleep };
    let told = |step: Step, took: chrono::TimeDelta| talk(&format!("{} after {} s", step.words(), seconds(took)));
    let times = drill::drill(&account.cloud, &HttpApp::default(), &drilled, &clock, told).await?;
    let key = config::LAST_DRILL.tag.unwrap_or_default();
    let last = instance.tags.get(key).and_then(|last| last.parse().ok());
    let keep = TagChange { key, value: Some(times.to_string()), words: String::new() };
    match output {
        Output::Text => say(&times.text(last.as_ref()))?,
        Output::Json => say(&format!("{:#}\n", serde_json::json!({"now": times, "last": last})))?,
    }
    // The seconds are worth more than the tag.
    if let Err(error) = account.change_tag(&instance, &keep).await {
        talk(&format!("the next drill will not be compared with this one: {error}"));
    }
    Ok(0)
}

/// `decides` says that the health check decides what is done.
async fn located(account: &Account, of: Of, decides: bool) -> Result<SetUp, Failure> {
    let set_up = account.set_up(of.into()).await?;
    Ok(account.locate(set_up, decides).await?)
}

/// Whoever stops an instance has to know when that is decided without the settings of a stack.
fn say_by_what(set_up: &SetUp) {
    if let Some(why) = &set_up.without {
        talk(&format!(
            "{why}: {} is taken for a set-up made by hand, by the defaults of IdleMinutes, KeepAwake and all else",
            set_up.host
        ));
    }
}

/// When something ends, which has to be later than now.
fn end(until: &Until, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Failure> {
    let end = verbs::end(until.until, until.lasts, now);
    match end {
        Some(end) if end <= now => Err(Failure::Refused(format!("{end} is over: give a time that is to come"))),
        end => Ok(end),
    }
}

async fn change(account: &Account, of: Of, change: &TagChange, dry_run: bool) -> Result<u8, Failure> {
    let set_up = located(account, of, false).await?;
    let (instance, _) = account.instance(&set_up).await?;
    let was = change.was(&instance.tags);
    if dry_run {
        let value = change.value.as_ref().map_or_else(|| "taken away".into(), |value| format!("set to {value}"));
        return tell(&set_up, &format!("would have the tag {} {value}{was}", change.key));
    }
    account.change_tag(&instance, change).await?;
    tell(&set_up, &format!("{}{was}", change.words))
}

fn tell(set_up: &SetUp, words: &str) -> Result<u8, Failure> {
    say(&format!("{} {words}\n", set_up.host))?;
    Ok(0)
}

/// Nothing was done: because there was nothing to do, or because it was refused.
fn without(set_up: &SetUp, act: Act) -> Result<u8, Failure> {
    match act {
        Act::Nothing(words) => tell(set_up, &words),
        Act::Refuse(why) | Act::Never(why) => Err(Failure::Refused(format!("{} {why}", set_up.host))),
        Act::Start | Act::StartOnceStopped | Act::Stop => Ok(0),
    }
}
