//! What the command line reads of a stack is what the templates have.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

fn template(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// A part of the template, by its key in the first column.
fn section<'a>(template: &'a str, key: &str) -> &'a str {
    let start = template.find(&format!("\n{key}:\n")).unwrap();
    let rest = &template[start + key.len() + 3..];
    let end = rest.match_indices('\n').find(|(at, _)| rest[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
    &rest[..end.map_or(rest.len(), |(at, _)| at)]
}

#[test]
fn the_names_that_are_read_of_a_stack_are_the_templates() {
    let (stack, host, app) = (template("template.yaml"), template("host/template.yaml"), template("app/template.yaml"));
    for (text, part, names) in [
        (&stack, "Parameters", &["AppDomain", "Host", "InstanceId", "IdleMinutes", "Schedule", "DryRun"][..]),
        (&stack, "Outputs", &["HealthCheckId", "StopperFunction"]),
        (&stack, "Resources", &["NewHostStack", "StarterRole"]),
        (&host, "Outputs", &["InstanceId"]),
        (&app, "Parameters", &["Pair", "AppDomain"]),
        (&app, "Outputs", &["HealthCheckId"]),
    ] {
        for name in names {
            assert!(
                section(text, part).contains(&format!("\n  {name}:"))
                    || section(text, part).starts_with(&format!("  {name}:")),
                "{part} has no {name}"
            );
        }
    }
    assert!(!section(&stack, "Parameters").contains("\n  Pair:"), "by it an app's stack is known");
    assert!(stack.contains("LogGroupName: !Sub /aws/lambda/${AWS::StackName}-starter"), "as findings name it");
}
