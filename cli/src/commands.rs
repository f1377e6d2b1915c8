//! The commands that look at an account, or act in it.

use chrono::Utc;
use shared::model::InstanceState;

use crate::account::{Account, Session, SetUp};
use crate::arguments::{Command, Of, Output, Until};
use crate::terminal::{clear_screen, patiently, say};
use crate::verbs::{self, Act, TagChange};
use crate::{Failure, doctor, status};

/// How often `status --watch` looks: metrics come no faster.
const WATCH: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) async fn run(session: &Session, command: Command) -> Result<u8, Failure> {
    let account = Account::new(session.open().await?);
    match command {
        Command::Doctor { of, strict, output } => {
            let set_up = account.set_up(of.into()).await?;
            let facts = patiently("Looking at the account", account.facts(set_up)).await;
            let findings = doctor::examine(&facts);
            match output {
                Output::Text => say(&doctor::print::text(&facts, &findings))?,
                Output::Json => say(&format!("{:#}\n", doctor::print::json(&facts, &findings)))?,
            }
            Ok(doctor::exit_status(&findings, strict))
        }
        Command::Status { of, watch, output } => loop {
            // Anew each time: credentials run out, and stacks are changed.
            let account = Account::new(session.open().await?);
            let set_up = located(&account, of.clone()).await?;
            let now = Utc::now();
            let all = patiently("Looking at the instances", account.status(&set_up, now)).await?;
            if watch {
                clear_screen()?;
            }
            match output {
                Output::Text => say(&status::text(&all, now))?,
                Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
            }
            if !watch {
                return Ok(0);
            }
            tokio::time::sleep(WATCH).await;
        },
        Command::Wake { of, force, dry_run } => {
            let set_up = located(&account, of).await?;
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
            let set_up = located(&account, of).await?;
            let now = Utc::now();
            let report = patiently("Looking whether someone uses it", account.decision(&set_up, now)).await?;
            match verbs::nap(report.state, &report.decision, now, force) {
                Act::Stop if dry_run => tell(&set_up, "would be stopped"),
                Act::Stop => {
                    account.stop(&report.instance).await?;
                    tell(&set_up, "is falling asleep")
                }
                Act::Refuse(why) if report.state == InstanceState::Running => Err(Failure::Refused(format!(
                    "{} is not stopped: {why}\n{}; --force stops it all the same",
                    set_up.host, report.outlook.words
                ))),
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
            let set_up = located(&account, fetch.into()).await?;
            let fetched = patiently("Fetching metrics", account.traffic(&set_up, Utc::now(), days)).await?;
            let (name, recording, found) = fetched;
            crate::show_plan(&name, &recording, &options.or(found), output, svg.as_deref())
        }
        Command::Completions { .. } => Ok(0), // done without an account
    }
}

async fn located(account: &Account, of: Of) -> Result<SetUp, Failure> {
    let set_up = account.set_up(of.into()).await?;
    Ok(account.locate(set_up).await?)
}

/// When something ends, which has to be later than now.
fn end(until: &Until, now: chrono::DateTime<Utc>) -> Result<Option<chrono::DateTime<Utc>>, Failure> {
    let end = verbs::end(until.until, until.lasts, now);
    match end {
        Some(end) if end <= now => Err(Failure::Refused(format!("{end} is over: give a time that is to come"))),
        end => Ok(end),
    }
}

async fn change(account: &Account, of: Of, change: &TagChange, dry_run: bool) -> Result<u8, Failure> {
    let set_up = located(account, of).await?;
    let (instance, _) = account.instance(&set_up).await?;
    if dry_run {
        let value = change.value.as_ref().map_or_else(|| "taken away".into(), |value| format!("set to {value}"));
        return tell(&set_up, &format!("would have the tag {} {value}", change.key));
    }
    account.change_tag(&instance, change).await?;
    tell(&set_up, &change.words)
}

fn tell(set_up: &SetUp, words: &str) -> Result<u8, Failure> {
    say(&format!("{} {words}\n", set_up.host))?;
    Ok(0)
}

/// Nothing was done: because there was nothing to do, or because it was refused.
fn without(set_up: &SetUp, act: Act) -> Result<u8, Failure> {
    match act {
        Act::Nothing(words) => tell(set_up, &words),
        Act::Refuse(why) => Err(Failure::Refused(format!("{} {why}; --force does it all the same", set_up.host))),
        Act::Start | Act::StartOnceStopped | Act::Stop => Ok(0),
    }
}
