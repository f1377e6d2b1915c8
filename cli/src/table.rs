//! A plan as text.

use std::fmt::Write as _;

use crate::advice::Advice;
use crate::plan::{Plan, Trial, bytes_in_words};

/// So many naps that met traffic are listed: the newest.
const SHOWN: usize = 8;
/// The share of datapoints below which it is said that the instance was perhaps off.
const FEW_ARE_MISSING: f64 = 0.97;

pub(crate) fn print(plan: &Plan) -> String {
    let mut text = String::new();
    let days = (plan.until - plan.since).num_minutes() as f64 / 1_440.0;
    let _ = writeln!(
        text,
        "{}: {days:.1} days from {}, {} datapoints of {} s, {} missing",
        plan.recording,
        plan.since.format("%Y-%m-%d %H:%M UTC"),
        plan.datapoints,
        plan.period_seconds,
        plan.missing,
    );
    let _ = writeln!(text, "IdleMinutes {}, a tick every {} minutes\n", plan.idle_minutes, plan.tick_minutes);
    let has_price = plan.policies.iter().any(|trial| trial.cost.is_some());
    let mut rows = vec![heading(has_price)];
    rows.extend(plan.policies.iter().map(|trial| row(trial, has_price)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let _ = write!(text, "{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    let of_all = plan.hours_recorded / ((plan.until - plan.since).num_minutes() as f64 / 60.0);
    if of_all < FEW_ARE_MISSING {
        let cost = plan.cost_recorded.map_or_else(String::new, |cost| format!(", at {cost:.2}"));
        let _ = writeln!(
            text,
            "\n{:.0} % of the datapoints are missing, and a stopped instance has none. As it was: awake for {:.1} h{cost}.\n\
             Of what is called saved here, some was saved already.",
            (1.0 - of_all) * 100.0,
            plan.hours_recorded
        );
    }
    text.push_str(
        "\nmet: datapoints above the floor that came while it napped. Each wakes it, but for regular spikes.\n",
    );
    if let Some(floor) = plan.floor {
        let _ = writeln!(text, "Catnap's floor at the end: {} in a datapoint", bytes_in_words(floor));
    }
    if !plan.met.is_empty() {
        let shown = plan.met.iter().rev().take(SHOWN).rev();
        let times: Vec<_> = shown.map(|met| met.at.format("%d %b %H:%M").to_string()).collect();
        let earlier = plan.met.len().saturating_sub(SHOWN);
        let more = if earlier > 0 { format!(" ({earlier} earlier ones in --output json)") } else { String::new() };
        let _ = writeln!(text, "Naps ended by traffic, UTC: {}{more}", times.join(", "));
    }
    let kept = plan.hours_kept.iter().map(|(reason, hours)| format!("{reason} {hours:.0} h")).collect::<Vec<_>>();
    if !kept.is_empty() {
        let _ = writeln!(text, "Catnap kept it awake for: {}", kept.join(", "));
    }
    let advice = plan.advice.as_ref().map_or_else(
        || {
            format!(
                "Recommended: nothing yet. It takes datapoints of a day, and there are {:.1} h",
                plan.hours_recorded
            )
        },
        Advice::words,
    );
    let _ = writeln!(text, "\n{advice}");
    text
}

fn heading(has_price: bool) -> Vec<String> {
    let mut cells = vec!["", "awake", "asleep", "naps", "wakes", "met"];
    if has_price {
        cells.extend(["cost", "saved"]);
    }
    cells.into_iter().map(Into::into).collect()
}

fn row(trial: &Trial, has_price: bool) -> Vec<String> {
    let mut cells = vec![
        trial.policy.clone(),
        format!("{:.1} h", trial.hours_awake),
        format!("{:.1} h", trial.hours_asleep),
        trial.naps.to_string(),
        trial.wakes.to_string(),
        trial.met_while_napping.to_string(),
    ];
    if has_price {
        cells.extend(
            [trial.cost, trial.saved].map(|money| money.map_or_else(String::new, |money| format!("{money:.2}"))),
        );
    }
    cells
}
