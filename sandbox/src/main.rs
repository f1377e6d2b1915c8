//! A visit as a timeline: `cargo run -p sandbox`.

#![allow(clippy::print_stdout, reason = "a program to be read")]

use chrono::TimeDelta;
use sandbox::{Sandbox, Setup, Visitor};

fn main() -> Result<(), sandbox::SetupError> {
    let t = std::time::Instant::now();
    let sandbox = Sandbox::new(&Setup::default())?;
    sandbox.run(TimeDelta::minutes(10));
    let n: i64 = 30;
    let mut events = 0;
    for d in 0..n {
        for v in 0..10 {
            sandbox.visit(Visitor::named("Ada"));
            sandbox.run(TimeDelta::minutes(if v == 9 { 0 } else { 20 }));
        }
        sandbox.run_until(sandbox.began() + TimeDelta::days(d + 1));
        events += sandbox.events().len();
    }
    println!("{n} days {} events {:?} {:?}", events, t.elapsed(), sandbox.snapshot());
    Ok(())
}
