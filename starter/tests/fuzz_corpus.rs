//! What the fuzz target `event` has found so far, without a fuzzer.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../../fuzz/checks/event.rs"]
mod event;

#[test]
fn what_must_hold_for_any_request_holds_for_the_corpus() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/event");
    let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() >= 12, "{}", inputs.len());
    for input in inputs {
        let data = std::fs::read(&input).unwrap();
        println!("{}", input.display()); // shown when it fails
        event::check(&data);
    }
}
