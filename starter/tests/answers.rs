//! Who gets which kind of answer, by each sample event and by odd input.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{APP, World, request, sample, visit, wake};
use serde_json::json;
use shared::model::InstanceState;

/// What each file in `events/` gets from a napping app: status, kind, and whether it wakes, by `WakeOn`.
const EVENTS: &[(&str, u16, &str, [bool; 3])] = &[
    //                                               visit  click  request
    ("visit", 503, "text/html; charset=utf-8", [false, false, true]),
    ("wake", 202, "application/json", [true, false, true]),
    ("status", 200, "application/json", [false, false, false]),
    ("api", 503, "application/problem+json", [false, false, false]),
    ("webhook", 503, "application/problem+json", [true, true, true]),
    ("bot", 503, "application/problem+json", [false, false, false]),
    ("prefetch", 503, "text/html; charset=utf-8", [false, false, false]),
    ("head", 503, "application/problem+json", [false, false, false]),
];

#[tokio::test]
async fn each_sample_event_gets_its_answer_in_each_mode() {
    for (name, code, kind, wakes) in EVENTS {
        for (mode, wakes) in ["visit", "click", "request"].into_iter().zip(wakes) {
            let world = World::new().with("CATNAP_WAKE_ON", mode).with("CATNAP_WAKE_PATHS", "/hooks/");
            let answer = world.ask(sample(name)).await;
            assert_eq!((answer.status, world.starts()), (*code, usize::from(*wakes)), "{name} with WakeOn {mode}");
            assert_eq!(answer.header("content-type"), *kind, "{name}");
        }
    }
}

#[test]
fn every_event_file_is_used() {
    let folder = format!("{}/../events", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !["env", "tick"].contains(&name.as_str())) // env.json is settings; tick.json is the stopper's
        .collect();
    files.sort();
    let mut used: Vec<_> = EVENTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    used.sort();
    assert_eq!(files, used);
}

#[tokio::test]
async fn the_page_has_all_its_headers_and_stays_below_its_size() {
    let page = World::new().ask(visit()).await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'nonce-n0nce'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(policy.contains(&format!("connect-src 'self' https://{}", common::API)), "{policy}");
    assert_eq!(page.header("strict-transport-security"), "", "HSTS is the app's to set");
    assert!(page.text.len() < 20_000, "{} bytes", page.text.len());
    assert!(page.text.matches("nonce=\"n0nce\"").count() == 2);
}

#[tokio::test]
async fn what_a_visitor_sends_cannot_break_out_of_the_page() {
    let world = World::new();
    let mut event = visit();
    event["rawPath"] = json!("/\"><script>alert(1)</script>");
    event["rawQueryString"] = json!("x=</script><script>alert(1)</script>");
    event["requestContext"]["requestId"] = json!("<b>&\"'");
    let page = world.ask(event).await;
    assert!(page.is_page());
    assert!(!page.text.contains("<script>alert") && !page.text.contains("<b>&"), "{}", page.text);
    assert_eq!(page.text.matches("<script").count(), 2, "its own two and no other");
}

#[tokio::test]
async fn the_page_has_the_apps_name_and_lets_its_logo_through() {
    let world = World::new()
        .with("CATNAP_APP_NAME", "Tom & <Wiki>")
        .with("CATNAP_LOGO_URL", "https://cdn.example.com:8443/logo.svg")
        .with("CATNAP_SUPPORT_URL", "mailto:help@example.com");
    let page = world.ask(visit()).await;
    assert!(
        page.text.contains("<h1 id=\"title\" tabindex=\"-1\">Tom &#38; &#60;Wiki&#62; is asleep</h1>"),
        "{}",
        page.text
    );
    assert!(page.text.contains("href=\"mailto:help@example.com\"") && page.text.contains(APP));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src data: https://cdn.example.com:8443;"), "{policy}");
    assert!(World::new().ask(visit()).await.header("content-security-policy").contains("img-src data: ;"));

    let other = world.with("CATNAP_INSTANCE_ID", "");
    other.sim.change(&other.id, |it| {
        it.tags.insert("catnap:host".into(), "other.example.com".into());
    });
    let mut event = visit();
    assert!(other.ask(event.clone()).await.text.contains("app.example.com is not the name"), "nothing is called so");
    event["requestContext"]["domainName"] = json!("other.example.com");
    assert!(other.ask(event).await.text.contains("other.example.com is asleep"), "the name is AppDomain's alone");
}

#[tokio::test]
async fn the_waiting_status_is_503_unless_the_operator_wants_200() {
    assert_eq!(World::new().ask(visit()).await.status, 503);
    let relaxed = World::new().with("CATNAP_WAITING_STATUS", "200");
    assert_eq!(relaxed.ask(visit()).await.status, 200);
    assert_eq!(relaxed.ask(sample("api")).await.status, 503, "never 200 for what is not what was asked for");
    let form = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    assert_eq!(relaxed.ask(request("POST", "/save", &form)).await.status, 503, "nor for what was not carried out");
    let bot = [("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)"), ("accept", "text/html")];
    assert_eq!(relaxed.ask(request("GET", "/", &bot)).await.status, 503, "nor for a search engine");
    relaxed.sim.advance(chrono::TimeDelta::hours(1));
    relaxed.sim.change(&relaxed.id, |it| it.state = InstanceState::Stopped);
    relaxed.sim.change(&relaxed.id, |it| it.state_reason = Some("Server.InternalError".into()));
    assert_eq!(relaxed.ask(visit()).await.status, 503, "a failed start is never 200");
    relaxed.sim.change(&relaxed.id, |it| it.state = InstanceState::Terminated);
    assert_eq!(relaxed.ask(visit()).await.status, 500);
}

#[tokio::test]
async fn a_bots_page_does_not_ask_by_itself() {
    let page = |agent: &'static str| async move {
        World::new().ask(request("GET", "/", &[("user-agent", agent), ("accept", "text/html")])).await.text
    };
    assert!(page("Mozilla/5.0 HeadlessChrome/154.0").await.contains("\"wakes_by_itself\":false"));
    assert!(
        page("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36")
            .await
            .contains("\"wakes_by_itself\":true")
    );
}

#[tokio::test]
async fn an_open_tab_wakes_and_is_told_that_nothing_was_done() {
    let world = World::new();
    let answer =
        world.ask(request("POST", "/save", &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")])).await;
    assert_eq!((answer.status, world.starts()), (503, 1));
    assert!(answer.json()["how_to_wake"].as_str().unwrap().starts_with("Nothing was done with this request."));

    let form = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let page = World::new().ask(request("POST", "/save", &form)).await;
    assert!(page.is_page() && page.text.contains(">What you sent was not carried out."), "{}", page.text);
    assert!(!World::new().ask(visit()).await.text.contains(">What you sent"));
}

#[tokio::test]
async fn the_wake_call_is_safe_against_other_sites() {
    let world = World::new();
    let forged = |headers: &[(&str, &str)]| request("POST", "/.catnap/wake", headers);
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example.org")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")],
        &[("origin", "null")],
        &[("x-catnap", "WAKE")],
        &[("x-catnap", "wake"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example.org")],
    ] {
        let answer = world.ask(forged(headers)).await;
        assert_eq!((answer.status, world.starts()), (403, 0), "{headers:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let got = world.ask(request("GET", "/.catnap/wake", &[("x-catnap", "wake")])).await;
    assert_eq!((got.status, got.header("allow"), world.starts()), (405, "POST", 0));
    let asked = [("origin", "https://evil.example.org"), ("access-control-request-headers", "x-catnap")];
    let preflight = world.ask(request("OPTIONS", "/.catnap/wake", &asked)).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, ""), "so no site sends it");
    assert_eq!(preflight.header("access-control-allow-headers"), "");
    assert_eq!(world.ask(request("GET", "/.catnap/secret", &[])).await.status, 404);
}

#[tokio::test]
async fn without_script_the_button_wakes_and_leads_back() {
    let form = |to: &str| {
        let mut event = request("POST", "/.catnap/wake", &[("sec-fetch-site", "same-origin"), ("accept", "text/html")]);
        event["rawQueryString"] = json!(format!("to={to}"));
        event
    };
    let table = [
        ("%2Fdeep%2Flink%3Fa%3Db", "/deep/link?a=b"),
        ("%2F", "/"),
        ("%2F%2Fevil.example.org", "/"),
        ("%2F%5Cevil.example.org", "/"),
        ("https%3A%2F%2Fevil.example.org", "/"),
        ("%2Fa%0D%0ASet-Cookie%3A%20x", "/"),
        ("", "/"),
    ];
    for (to, location) in table {
        let world = World::new();
        let answer = world.ask(form(to)).await;
        assert_eq!((answer.status, answer.header("location"), world.starts()), (303, location, 1), "{to}");
    }
    let mut deep = visit();
    deep["rawPath"] = json!("/deep/link");
    deep["rawQueryString"] = json!("a=b");
    let page = World::new().ask(deep).await;
    assert!(page.text.contains("action=\"/.catnap/wake?to=%2Fdeep%2Flink%3Fa%3Db\""), "{}", page.text);
}

#[tokio::test]
async fn by_click_the_script_does_not_wake_and_the_button_does() {
    let world = World::new().with("CATNAP_WAKE_ON", "click");
    assert_eq!((world.ask(wake()).await.json()["reason"].clone(), world.starts()), (json!("asleep"), 0));
    let mut press = wake();
    press["headers"]["x-catnap"] = json!("press");
    assert_eq!((world.ask(press).await.json()["reason"].clone(), world.starts()), (json!("waking"), 1));
}

#[tokio::test]
async fn odd_input_gets_a_proper_answer() {
    let world = World::new();
    let mut no_headers = visit();
    no_headers.as_object_mut().unwrap().remove("headers");
    no_headers.as_object_mut().unwrap().remove("cookies");
    assert_eq!(world.ask(no_headers).await.header("content-type"), "application/problem+json");

    let mut cookie = visit();
    cookie["cookies"] = json!([format!("session={}", "x".repeat(10_000))]);
    assert!(world.ask(cookie).await.is_page());

    let mut bytes = visit();
    bytes["headers"]["user-agent"] = json!("Mozilla/5.0 (ünïcödé \u{1}) Gecko");
    bytes["headers"]["accept-language"] = json!("日本語");
    bytes["rawPath"] = json!("/日本語/%00");
    assert!(world.ask(bytes).await.is_page());

    let mut wrong_type = sample("webhook");
    wrong_type["headers"]["content-type"] = json!("image/png; charset=klingon");
    wrong_type["body"] = json!("bm90IGJhc2U2NA");
    wrong_type["isBase64Encoded"] = json!(true);
    let hooks = World::new().with("CATNAP_WAKE_PATHS", "/hooks/");
    assert_eq!((hooks.ask(wrong_type).await.status, hooks.starts()), (503, 1));

    let mut no_body = sample("webhook");
    no_body.as_object_mut().unwrap().remove("body");
    assert_eq!(hooks.ask(no_body).await.status, 503);

    let mut no_domain = visit();
    no_domain["requestContext"].as_object_mut().unwrap().remove("domainName");
    no_domain["headers"]["host"] = json!(APP);
    assert_eq!((world.ask(no_domain).await.status, world.starts()), (404, 0), "the Host header is not believed");
}
