//! What is written in two places is held together here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde_json::{Value, json};
use shared::config::SETTINGS;
use shared::record::{self, Count};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All words of `text` that `keep` wants, cut at what is neither letter, digit nor one of `_:-`.
fn words(text: &str, keep: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'));
    text.split(ends).map(|word| word.trim_end_matches(':')).filter(|word| keep(word)).map(Into::into).collect()
}

/// The names under `Parameters:` in the template.
fn parameters(template: &str) -> BTreeSet<String> {
    let section = template.split("\nParameters:\n").nth(1).expect("the template has parameters");
    let section = section.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let name =
        |line: &str| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')).map(Into::into);
    section.filter_map(name).collect()
}

fn names(of: impl Fn(&shared::config::Setting) -> Option<&'static str>) -> BTreeSet<String> {
    SETTINGS.iter().filter_map(of).map(Into::into).collect()
}

#[test]
fn the_template_sets_the_variables_that_are_read_and_has_their_parameters() {
    let template = read("template.yaml");
    let set = words(&template, |word| word.starts_with("CATNAP_"));
    let for_local_runs = BTreeSet::from(["CATNAP_ORIGIN_ADDRESS".to_owned()]);
    assert_eq!(set, names(|setting| setting.variable).difference(&for_local_runs).cloned().collect());
    let missing: Vec<_> = names(|setting| setting.parameter).difference(&parameters(&template)).cloned().collect();
    assert!(missing.is_empty(), "parameters that config.rs names and the template has not: {missing:?}");
}

#[test]
fn the_readme_has_a_row_for_each_parameter_variable_and_tag() {
    let readme = read("README.md");
    let rows: String = readme.lines().filter(|line| line.starts_with('|')).collect();
    let told = words(&rows, |_| true);
    let mut needed = parameters(&read("template.yaml"));
    needed.extend(names(|setting| setting.variable));
    needed.extend(names(|setting| setting.tag));
    let missing: Vec<_> = needed.difference(&told).collect();
    assert!(missing.is_empty(), "not in a table of the README: {missing:?}");
    let mut read_somewhere = names(|setting| setting.variable);
    read_somewhere.extend(words(&read("cli/src/arguments.rs"), |word| word.starts_with("CATNAP_")));
    let unknown: Vec<_> =
        words(&readme, |word| word.starts_with("CATNAP_")).difference(&read_somewhere).cloned().collect();
    assert!(unknown.is_empty(), "in the README and nowhere read: {unknown:?}");
}

/// The operations that an adapter calls on its SDK client, as IAM writes them.
fn operations(service: &str) -> BTreeSet<String> {
    let source: String = read(&format!("shared/src/aws/{service}.rs")).split_whitespace().collect();
    let calls = source.split("client.").skip(1).filter_map(|rest| rest.split_once("()")).map(|(call, _)| call);
    let pascal = |call: &str| call.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
    calls
        .filter(|call| call.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .map(|call| format!("{service}:{}", pascal(call)))
        .collect()
}

#[test]
fn the_roles_may_do_what_the_adapters_call_and_nothing_else() {
    let services = ["ec2", "cloudwatch", "route53"];
    let called: BTreeSet<_> = services.into_iter().flat_map(operations).collect();
    assert_eq!(called.len(), 11, "{called:?}");
    let is_action = |word: &str| {
        word.split_once(':').is_some_and(|(service, action)| {
            services.contains(&service) && !action.starts_with(':') && !action.contains(':')
        })
    };
    assert_eq!(words(&read("template.yaml"), is_action), called);
}

/// Name and dimension of each metric of ours that an alarm in the template reads.
fn alarms(template: &str) -> BTreeSet<(String, String)> {
    let value = |block: &str, key: &str| Some(block.split_once(key)?.1.split([',', '\n']).next()?.trim().to_owned());
    let blocks = template.split("Type: AWS::CloudWatch::Alarm").skip(1);
    let ours = blocks.filter(|block| value(block, "Namespace: ").as_deref() == Some(record::NAMESPACE));
    ours.map(|block| {
        (value(block, "MetricName: ").unwrap(), value(block, "Dimensions: [{ Name: ").expect("an alarm by pair"))
    })
    .collect()
}

#[test]
fn each_trouble_rings_and_each_alarm_reads_what_is_written() {
    let written = Count::TROUBLES.into_iter().map(|count| {
        let line = record::line(DateTime::UNIX_EPOCH, "pair", "app", &[count], &json!({})).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        let [by_app, by_pair] = record["_aws"]["CloudWatchMetrics"].as_array().unwrap().as_slice() else { panic!() };
        assert_eq!(by_app["Metrics"], by_pair["Metrics"]);
        let dimension = by_pair["Dimensions"][0][0].as_str().unwrap();
        assert_eq!(record[dimension], "pair");
        (by_pair["Metrics"][0]["Name"].as_str().unwrap().to_owned(), dimension.to_owned())
    });
    assert_eq!(alarms(&read("template.yaml")), written.collect());
}

#[test]
fn the_core_does_no_io_reads_no_clock_and_is_not_async() {
    let core = "model trouble learned noise schedule classify classify/agent wake idle idle/reasons idle/outlook \
                replay look config overrides steer";
    for file in core.split(' ') {
        let source = read(&format!("shared/src/{file}.rs"));
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for banned in ["::now()", "std::env", "std::fs", "std::io", "async ", ".await", "tokio", "thread::", "rand::"] {
            assert!(!code.contains(banned), "{file}.rs: {banned}");
        }
    }
}

#[test]
fn a_file_uses_only_what_stands_further_inside() {
    let order =
        "model trouble learned noise schedule steer classify wake idle replay look config overrides record cloud";
    let order: Vec<_> = order.split(' ').collect();
    for (position, file) in order.iter().enumerate() {
        let source = read(&format!("shared/src/{file}.rs"));
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let mut outside = order[position..].iter().chain(&["aws", "sim"]);
        let used = outside.find(|other| code.contains(&format!("use crate::{other}::")));
        assert_eq!(used, None, "{file}.rs uses what stands further outside");
    }
}

#[test]
fn only_the_binaries_name_the_aws_adapters() {
    for crate_name in ["starter", "stopper"] {
        for entry in fs::read_dir(root().join(crate_name).join("src")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().is_some_and(|name| name != "main.rs") {
                assert!(!fs::read_to_string(&path).unwrap().contains("shared::aws"), "{}", path.display());
            }
        }
    }
}
