//! The sandbox on the command line.
//!
//! Without arguments it serves the web page (`make demo`). `scenarios` lists them, `scenario NAME` plays one and prints
//! its timeline, `soak` searches for faults.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program to be read")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use chrono::TimeDelta;
use sandbox::{Find, SCENARIOS, Sandbox, Setup, Step, Story, What, page, search, tell, timeline};
use shared::sim::traffic::Pattern;

const USAGE: &str = "\
sandbox                    serves the web page; --port and --host say where
sandbox scenarios          lists the scenarios
sandbox scenario NAME      plays one and prints what happened; with --all everything that did
sandbox soak SECONDS [SEED] looks for stories that break a law, from this seed on
sandbox seed SEED          tells the story of a seed
sandbox month              measures a month of one app";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["scenarios"] => {
            SCENARIOS.iter().for_each(|scenario| println!("{:<16} {}", scenario.name, scenario.about));
            Ok(ExitCode::SUCCESS)
        }
        ["scenario", name, ref rest @ ..] => scenario(name, rest == ["--all"]),
        ["month"] => month(),
        ["soak", seconds] => soak(seconds.parse()?, 0),
        ["soak", seconds, from] => soak(seconds.parse()?, from.parse()?),
        ["seed", seed] => seed_of(seed.parse()?),
        [] => Ok(page::main()),
        [first, ..] if first.starts_with("--") => Ok(page::main()),
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn soak(seconds: u64, from: u64) -> Result<ExitCode, Box<dyn Error>> {
    let (began, mut world, mut finds) = (Instant::now(), TimeDelta::zero(), 0);
    let mut seed = from;
    while began.elapsed().as_secs() < seconds {
        let (took, find) = search(seed)?;
        world += took;
        if let Some(find) = find {
            finds += 1;
            print_find(&find);
        }
        seed += 1;
        if (seed - from).is_multiple_of(1_000) {
            eprintln!("{} stories, {:.1} world-months, {finds} finds", seed - from, months(world));
        }
    }
    let months = months(world);
    println!("{} stories from seed {from} on, {months:.1} world-months in {seconds} s: {finds} finds", seed - from);
    Ok(if finds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn months(time: TimeDelta) -> f64 {
    time.as_seconds_f64() / 86_400.0 / 30.0
}

/// A month of one app, in office hours ten minutes from one visitor to the next, and a bot each half hour.
fn month() -> Result<ExitCode, Box<dyn Error>> {
    let began = Instant::now();
    let sandbox = Sandbox::new(&Setup::default())?;
    sandbox.people(Pattern::Office, 31);
    sandbox.bots(TimeDelta::minutes(30));
    let (mut events, mut visitors) = (0, 0);
    for day in 0..30 {
        sandbox.run_until(sandbox.began() + TimeDelta::days(day + 1));
        let day = sandbox.events();
        visitors += day.iter().filter(|event| matches!(event.what, What::Visitor { step: Step::Comes, .. })).count();
        events += day.len();
    }
    let (seconds, starts) = (began.elapsed().as_secs_f64(), sandbox.calls("StartInstances"));
    let asleep = sandbox.snapshot().asleep_seconds / 3_600;
    println!(
        "a month of one app in {seconds:.2} s: {visitors} visitors, {starts} wakes, {asleep} h asleep of 720, {events} events"
    );
    Ok(if seconds < 2.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seed_of(seed: u64) -> Result<ExitCode, Box<dyn Error>> {
    let story = Story::of(seed);
    println!("{story}");
    let outcome = tell(&story)?;
    timeline(&outcome.events).iter().for_each(|line| println!("{line}"));
    outcome.broken.iter().for_each(|law| println!("BROKEN {law}"));
    Ok(if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_find(find: &Find) {
    println!("FOUND after {} stories: {}\n{}", find.tried, find.law, find.story);
    timeline(&find.outcome.events).iter().for_each(|line| println!("    {line}"));
    println!();
}

fn scenario(name: &str, all: bool) -> Result<ExitCode, Box<dyn Error>> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or("there is no such scenario")?;
    println!("{}: {}\n", scenario.name, scenario.about);
    let played = scenario.play()?;
    let lines = if all { played.events.iter().map(ToString::to_string).collect() } else { timeline(&played.events) };
    lines.iter().for_each(|line| println!("{line}"));
    println!();
    for (hold, holds) in &played.held {
        println!("{} {hold}", if *holds { "holds " } else { "BROKEN" });
    }
    Ok(if played.held.iter().all(|(_, holds)| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
