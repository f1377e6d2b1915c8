//! What the fuzz target `classify` has found so far, without a fuzzer.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../../fuzz/checks/classify.rs"]
mod classify;

#[test]
fn what_must_hold_for_any_request_holds_for_the_corpus() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/classify");
    let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() >= 20, "{}", inputs.len());
    for input in inputs {
        let data = std::fs::read(&input).unwrap();
        println!("{}", input.display()); // shown when it fails
        classify::check(&data);
    }
}
