//! A visit as a timeline: `cargo run -p sandbox`.

#![allow(clippy::print_stdout, reason = "a program to be read")]

use chrono::TimeDelta;
use sandbox::{Sandbox, Setup, Visitor};

fn main() -> Result<(), sandbox::SetupError> {
    let sandbox = Sandbox::new(&Setup::default())?;
    sandbox.run(TimeDelta::minutes(10));
    sandbox.visit(Visitor::named("Ada"));
    sandbox.run(TimeDelta::hours(3));
    for event in sandbox.events() {
        println!("{event}");
    }
    Ok(())
}
