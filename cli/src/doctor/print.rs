//! Findings, to read and for programs.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::{Facts, Finding, Severity, checks};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const WELL: Style = AnsiColor::Green.on_default().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// To read, with colours.
#[must_use]
pub fn text(facts: &Facts, findings: &[Finding]) -> String {
    let mut text = head(facts);
    for Finding { check, severity, what, why, mend } in findings {
        let (style, word) = match severity {
            Severity::Error => (ERROR, "error"),
            Severity::Warning => (WARNING, "warning"),
        };
        let _ = writeln!(text, "\n{style}{word}{style:#} {check}: {what}");
        let _ = writeln!(text, "  {why}");
        for command in mend {
            let prompt = if command.starts_with('#') { "" } else { "$ " };
            let _ = writeln!(text, "    {COMMAND}{prompt}{command}{COMMAND:#}");
        }
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let _ = match (errors, warnings) {
        (0, 0) => writeln!(text, "\n{WELL}All is well{WELL:#}: {} checks.", checks()),
        _ => writeln!(
            text,
            "\n{} checks: {errors} error{}, {warnings} warning{}.",
            checks(),
            plural(errors),
            plural(warnings)
        ),
    };
    text
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn head(facts: &Facts) -> String {
    let set_up = facts.stack.as_ref().map_or_else(|| "made by hand".into(), |stack| format!("stack {}", stack.name));
    let instance = facts.machine().map_or_else(
        || "no instance".into(),
        |machine| format!("{} ({})", machine.instance.id, state(machine.instance.state)),
    );
    format!("{}: {set_up}, {instance}, {}\n", facts.host, facts.region)
}

fn state(state: shared::model::InstanceState) -> String {
    serde_json::to_value(state).ok().and_then(|it| Some(it.as_str()?.to_owned())).unwrap_or_default()
}

/// For programs.
#[must_use]
pub fn json(facts: &Facts, findings: &[Finding]) -> serde_json::Value {
    json!({
        "app": facts.host,
        "stack": facts.stack.as_ref().map(|stack| &stack.name),
        "instance": facts.machine().map(|machine| &machine.instance.id),
        "region": facts.region,
        "checks": checks(),
        "findings": findings,
    })
}
