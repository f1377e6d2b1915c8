//! Who is lost around a nap, and who waits how long once the app is up, second by second, with `Steer` and without, for
//! each kind of health check. Everything comes from a seed: the same figures each time.
//! `cargo bench -p sandbox --bench gap`.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program to be read"
)]

#[path = "gap/mod.rs"]
mod gap;

use gap::Way;

fn main() {
    println!("A visitor at each second around a nap, with DNS answers of every age; then at each second of a wake");
    println!(
        "{:<30}{:>9}{:>8}{:>10}{:>12}{:>12}{:>13}",
        "health check", "came", "lost", "for", "on screen", "led home", "napped after"
    );
    for steer in [false, true] {
        for (interval, threshold) in [(30, 3), (30, 2), (30, 1), (10, 3), (10, 2), (10, 1)] {
            let gap = Way { interval, threshold, steer, tick: 5 }.measure(1);
            println!(
                "{:<30}{:>9}{:>8}{:>8} s{:>10.1} s{:>10} s{:>9} min",
                format!("{interval} s x {threshold}{}", if steer { ", Steer" } else { "" }),
                gap.came,
                gap.lost,
                gap.lost_for,
                gap.on_screen,
                gap.led_home,
                gap.napped_after
            );
        }
    }
    println!(
        "on screen: the longest that one of those waits after the app's first answer. led home: after that, by DNS. \
         napped after: from the last page view, IdleMinutes 15"
    );
}
