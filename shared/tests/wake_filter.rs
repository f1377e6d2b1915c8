//! Who wakes the app with `WakeOn: request`, measured on requests of known origin. `make bench` prints the report.
//!
//! `data/README.md` says where the requests come from and by what rules they are labelled.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and this one prints a report")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use http::{HeaderMap, HeaderName, Method};
use serde::Deserialize;
use shared::classify::{Ask, Class, Request, WakeOn, classify, wants_page};

/// Automated requests that may wake at most, of the logged and of the listed ones. Only ever to be lowered.
const LOGGED_AT_MOST: usize = 24;
const LISTED_AT_MOST: usize = 3;

/// Who made a request, as labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Person,
    Program,
}

/// One request of known origin.
#[derive(Debug)]
struct Known {
    maker: Maker,
    /// What belongs together: a visitor's requests with one browser.
    visit: String,
    /// What a visit is about, rather than an image or a style that comes with it.
    is_page: bool,
    method: Method,
    path: String,
    headers: HeaderMap,
    about: String,
}

impl Known {
    fn class(&self) -> Class {
        let host = "app.example.com".parse().unwrap();
        classify(&Request { method: &self.method, path: &self.path, headers: &self.headers, host: &host }, &[])
    }

    fn wakes(&self) -> bool {
        self.class().asks(WakeOn::Request) != Ask::No
    }

    fn user_agent(&self) -> String {
        self.headers.get("user-agent").map_or("", |value| value.to_str().unwrap()).to_ascii_lowercase()
    }
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[derive(Deserialize)]
struct Logged {
    visitor: String,
    method: String,
    path: String,
    status: u16,
    user_agent: String,
}

/// The requests of a public site's log, labelled by the rules of `data/README.md`.
fn logged() -> Vec<Known> {
    let mut agents = csv::Reader::from_path(data("agents.csv")).unwrap();
    let labels: HashMap<String, String> =
        agents.deserialize().map(|row| row.map(|(label, agent): (String, String)| (agent, label)).unwrap()).collect();
    let requests: Vec<Logged> =
        csv::Reader::from_path(data("requests.csv")).unwrap().deserialize().map(Result::unwrap).collect();
    let key = |it: &Logged| format!("{} {}", it.visitor, it.user_agent);
    let read_robots: HashSet<String> = requests.iter().filter(|it| it.path == "/robots.txt").map(key).collect();
    let known = |it: &Logged| {
        let is_program = labels[&it.user_agent] == "program" || read_robots.contains(&key(it));
        let mut headers = HeaderMap::new();
        if it.user_agent != "-" {
            headers.insert("user-agent", it.user_agent.parse().unwrap());
        }
        Known {
            maker: if is_program { Maker::Program } else { Maker::Person },
            visit: key(it),
            is_page: it.method == "GET" && it.status < 400 && is_page(&it.path),
            method: it.method.parse().unwrap(),
            path: it.path.split('?').next().unwrap_or_default().into(),
            headers,
            about: format!("{} by {}", it.path, it.user_agent),
        }
    };
    requests.iter().map(known).collect()
}

/// Not a part of a page, a feed, a file for programs.
fn is_page(target: &str) -> bool {
    const NO_PAGES: &[&str] =
        &["css", "gif", "ico", "jar", "jpeg", "jpg", "js", "png", "svg", "swf", "ttf", "woff", "xsl", "exe", "gz"];
    let path = target.split('?').next().unwrap_or_default();
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    let is_part = extension.is_some_and(|it| NO_PAGES.contains(&it.to_ascii_lowercase().as_str()));
    !is_part && path != "/robots.txt" && !target.contains("flav=")
}

#[derive(Deserialize)]
struct Listed {
    who: String,
    what: String,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

/// The list of requests with full headers. Each is a visit of its own.
fn listed() -> Vec<Known> {
    let text = std::fs::read_to_string(data("modern.jsonl")).unwrap();
    let known = |(number, line): (usize, &str)| {
        let it: Listed = serde_json::from_str(line).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
        let headers =
            it.headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        Known {
            maker: if it.who == "person" { Maker::Person } else { Maker::Program },
            visit: format!("line {}", number + 1),
            is_page: true,
            method: it.method.parse().unwrap(),
            path: it.path,
            headers: headers.collect(),
            about: format!("{}: {}", it.who, it.what),
        }
    };
    text.lines().enumerate().map(known).collect()
}

/// A way to tell who may wake.
type Filter = fn(&Known) -> bool;

const FILTERS: &[(&str, Filter)] = &[
    ("Catnap", Known::wakes),
    ("no filter", |_| true),
    ("bot, crawl or spider in the user agent", |it| {
        !["bot", "crawl", "spider"].iter().any(|word| it.user_agent().contains(word))
    }),
];

#[derive(Debug, Default)]
struct Outcome {
    automated: usize,
    automated_that_wake: Vec<String>,
    visits: usize,
    visits_that_fail: BTreeSet<String>,
}

fn measure(requests: &[Known], filter: Filter) -> Outcome {
    let of = |maker| requests.iter().filter(move |it| it.maker == maker);
    let visits: BTreeSet<_> = of(Maker::Person).filter(|it| it.is_page).map(|it| it.visit.clone()).collect();
    let woken: BTreeSet<_> = of(Maker::Person).filter(|it| filter(it)).map(|it| it.visit.clone()).collect();
    Outcome {
        automated: of(Maker::Program).count(),
        automated_that_wake: of(Maker::Program).filter(|it| filter(it)).map(|it| it.about.clone()).collect(),
        visits: visits.len(),
        visits_that_fail: visits.difference(&woken).cloned().collect(),
    }
}

/// What comes of a request with `WakeOn: visit`, if whoever sent it shows the page and runs its script.
fn may_wake_by_script(it: &Known) -> bool {
    let class = it.class();
    let asks = class.asks(WakeOn::Visit) != Ask::No;
    asks || (wants_page(&it.headers) && class != Class::Prefetch && class.lets_the_page_ask(WakeOn::Visit))
}

fn report(what: &str, requests: &[Known]) {
    for (name, filter) in FILTERS {
        let Outcome { automated, automated_that_wake, visits, visits_that_fail } = measure(requests, *filter);
        let (woken, failed) = (automated_that_wake.len(), visits_that_fail.len());
        let share = 100.0 * woken as f64 / automated as f64;
        println!(
            "wake filter, mode request, {what}, {name}: {woken} of {automated} automated requests wake ({share:.1} %), \
             {failed} of {visits} person-made visits fail to wake"
        );
    }
}

#[test]
fn no_person_made_visit_of_the_log_fails_to_wake() {
    let outcome = measure(&logged(), Known::wakes);
    assert!(outcome.visits > 300, "{}", outcome.visits);
    assert_eq!(outcome.visits_that_fail, BTreeSet::new());
    assert!(outcome.automated_that_wake.len() <= LOGGED_AT_MOST, "{:#?}", outcome.automated_that_wake);
}

#[test]
fn no_person_made_visit_of_the_list_fails_to_wake() {
    let outcome = measure(&listed(), Known::wakes);
    assert!(outcome.visits > 100 && outcome.automated > 100, "{outcome:?}");
    assert_eq!(outcome.visits_that_fail, BTreeSet::new());
    assert!(outcome.automated_that_wake.len() <= LISTED_AT_MOST, "{:#?}", outcome.automated_that_wake);
}

#[test]
fn with_wake_on_visit_every_page_that_a_person_opens_may_ask() {
    let listed = listed();
    let opens_page = |it: &&Known| it.maker == Maker::Person && wants_page(&it.headers);
    let refused: Vec<_> = listed.iter().filter(opens_page).filter(|it| !may_wake_by_script(it)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn the_report() {
    report("5,002 logged requests", &logged());
    let listed = listed();
    report("own list", &listed);
    let automated = listed.iter().filter(|it| it.maker == Maker::Program);
    let may = automated.clone().filter(|it| may_wake_by_script(it)).count();
    println!(
        "wake filter, mode visit, own list, Catnap: {may} of {} automated requests get a page whose script may ask; it \
         wakes where a browser runs it and shows it (a prerender waits until it is shown)",
        automated.count()
    );
}
