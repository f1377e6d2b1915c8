//! The sandbox on the command line.
//!
//! `scenarios` lists them, `scenario NAME` plays one and prints its timeline.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program to be read")]

use std::error::Error;
use std::process::ExitCode;

use sandbox::{SCENARIOS, timeline};

const USAGE: &str = "\
sandbox scenarios          lists the scenarios
sandbox scenario NAME      plays one and prints what happened; with --all everything that did";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["scenarios"] => {
            SCENARIOS.iter().for_each(|scenario| println!("{:<16} {}", scenario.name, scenario.about));
            Ok(ExitCode::SUCCESS)
        }
        ["scenario", name, ref rest @ ..] => scenario(name, rest == ["--all"]),
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::FAILURE)
        }
    }
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
