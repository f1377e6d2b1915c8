//! How well the stopper tells people from noise: a week in each of some thousand worlds, beside the stop alarm that is
//! in use today and an oracle that knows the visits. `cargo bench -p shared --no-default-features --bench accuracy`,
//! with ` -- 3` for three seeds instead of one. Everything comes from the seed: the same figures each time.

#![allow(missing_docs, unreachable_pub, clippy::print_stdout, clippy::expect_used, reason = "a program to be read")]

#[path = "accuracy/mod.rs"]
mod accuracy;

use accuracy::cell::{Cell, PLAYERS, Player, cells, play, watches};
use accuracy::score::Score;
use accuracy::world::{Noise, Page, cron, health_checks};

type Played<'a> = Vec<(Cell<'a>, Vec<Score>)>;

fn main() {
    let seeds: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    for tick in [5, 60] {
        let worlds: Vec<_> = (1..=seeds).map(|seed| (seed, health_checks(seed))).collect();
        let played: Played<'_> =
            worlds.iter().flat_map(|(seed, noises)| play(&cells(noises, &watches(tick), *seed), &PLAYERS)).collect();
        println!("\n{} weeks over the noise of health checks, ticks of {tick} minutes", played.len());
        heading();
        for (index, name) in NAMES.iter().enumerate() {
            row(name, sum(&played, index, |_| true));
        }
        println!("  Catnap, by what people look at");
        row("heavy pages (2 MB)", sum(&played, 0, |it| it.page == Page::Heavy));
        row("light pages (50 KB), within reach", sum(&played, 0, |it| it.page == Page::Light && it.is_within_reach()));
        let lost = |it: &Cell<'_>| !it.is_within_reach();
        row("light pages, lost in the noise", sum(&played, 0, lost));
        row("… with Busy", sum(&played, 1, lost));
        if tick == 5 {
            what_else_helps(&played, &worlds);
            aims(&played);
            by_noise(&played);
        }
    }
    others(seeds);
}
const NAMES: [&str; 5] =
    ["Catnap", "Catnap and Busy", "alarm below 17 KB", "alarm below 100 KB", "oracle: knows the visits"];

fn heading() {
    println!(
        "{:<36}{:>12}{:>8}{:>17}{:>13}{:>11}",
        "", "awake/oracle", "naps", "against a signal", "in the blind", "never naps"
    );
}

fn row(name: &str, score: Score) {
    let (wrong, blind) = (100.0 * score.wrong(), 100.0 * score.blind());
    println!(
        "{name:<36}{:>12.2}{:>8}{:>15.1} %{:>11.1} %{:>11}",
        score.ratio(),
        score.naps,
        wrong,
        blind,
        format!("{}/{}", score.never, score.cells)
    );
}

fn sum(played: &Played<'_>, player: usize, wanted: impl Fn(&Cell<'_>) -> bool) -> Score {
    played.iter().filter(|(cell, _)| wanted(cell)).map(|(_, scores)| scores[player]).sum()
}

/// What shows the pages that are lost in the noise of basic monitoring: minutes, or fewer checks.
fn what_else_helps(played: &Played<'_>, worlds: &[(u64, Vec<Noise>)]) {
    let noises = worlds.iter().flat_map(|(_, noises)| noises);
    let basic: Vec<_> =
        noises.filter(|noise| Page::Light.bytes_in() < 4.0 * noise.deviation(5)).map(|it| &it.name).collect();
    let lost = |it: &Cell<'_>| it.page == Page::Light && basic.contains(&&it.noise.name);
    row("… with detailed monitoring", sum(played, 0, |it| lost(it) && it.watch.period == 1));
    let kind = |it: &Cell<'_>| it.noise.check.map(|check| check.kind);
    let kinds: Vec<_> = played.iter().map(|(cell, _)| cell).filter(|cell| lost(cell)).map(kind).collect();
    let few =
        |it: &Cell<'_>| it.page == Page::Light && it.noise.name.ends_with("3 regions, 30 s") && it.watch.period == 5;
    row("… checked from 3 regions each 30 s", sum(played, 0, |it| few(it) && kinds.contains(&kind(it))));
}

fn aims(played: &Played<'_>) {
    let all = sum(played, 0, |_| true);
    let heavy = sum(played, 0, |it| it.page == Page::Heavy);
    let reach = sum(played, 0, |it| it.is_within_reach());
    let busy = sum(played, 1, |_| true);
    let verdict = |met: bool| if met { "met" } else { "missed" };
    println!("  aims");
    println!("awake at most 1.10 x the oracle: {:.2}, {}", all.ratio(), verdict(all.ratio() <= 1.1));
    println!(
        "no nap against a signal with heavy pages: {}, {}",
        heavy.against_a_signal,
        verdict(heavy.against_a_signal == 0)
    );
    println!("at most 2 % of all naps: {:.1} %, {}", 100.0 * all.wrong(), verdict(all.wrong() <= 0.02));
    println!(
        "the same where a datapoint can show the page: {:.1} %, {}",
        100.0 * reach.wrong(),
        verdict(reach.wrong() <= 0.02)
    );
    println!("none with Busy: {}, {}", busy.against_a_signal, verdict(busy.against_a_signal == 0));
    println!("no cell that never naps: {}, {}", all.never, verdict(all.never == 0));
}

fn by_noise(played: &Played<'_>) {
    println!("  Catnap, light pages under basic monitoring, by noise and its deviation");
    let mut names: Vec<(&str, f64)> = Vec::new();
    for (cell, _) in played {
        if names.last().is_none_or(|(name, _)| *name != cell.noise.name) {
            names.push((&cell.noise.name, cell.noise.deviation(5)));
        }
    }
    names.truncate(12);
    for (name, deviation) in names {
        let label = format!("{name} ({:.1} KB)", deviation / 1_000.0);
        row(&label, sum(played, 0, |it| it.noise.name == name && it.page == Page::Light && it.watch.period == 5));
    }
}

fn others(seeds: u64) {
    println!("\nOther floors, Catnap, ticks of 5 minutes");
    heading();
    let players = [Player::Catnap];
    for part in [0.05, 0.1] {
        let rough: Vec<_> =
            health_checks(1).into_iter().zip(0..).map(|(noise, seed)| noise.rough(part, seed)).collect();
        let played = play(&cells(&rough, &watches(5), 1), &players);
        let name = format!("checkers that vary by {:.0} %", part * 100.0);
        row(&format!("{name}, heavy"), sum(&played, 0, |it| it.page == Page::Heavy));
        row(&format!("{name}, light"), sum(&played, 0, |it| it.page == Page::Light));
    }
    let cron = [cron()];
    let played: Played<'_> = (1..=seeds).flat_map(|seed| play(&cells(&cron, &watches(5), seed), &players)).collect();
    for (name, period) in [("basic", 5), ("detailed", 1)] {
        row(
            &format!("cron job, {name}, heavy"),
            sum(&played, 0, |it| it.watch.period == period && it.page == Page::Heavy),
        );
        row(
            &format!("cron job, {name}, light"),
            sum(&played, 0, |it| it.watch.period == period && it.page == Page::Light),
        );
    }
}
