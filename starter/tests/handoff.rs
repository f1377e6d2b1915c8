//! From the waiting page to the app: what is bridged, what is not, and what is learned on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::net::IpAddr;

use chrono::TimeDelta;
use common::{APP, World, ask, request, sample, status, visit, wake};
use http::{HeaderValue, Response};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::json;
use shared::cloud::Unforwarded;
use shared::model::Probe;
use shared::trouble::Trouble;
use starter::Moment;

/// A world whose app is up since a moment.
async fn awake() -> World {
    let world = World::new();
    world.ask(wake()).await;
    world.seconds(60);
    world
}

#[tokio::test]
async fn once_the_app_answers_everything_but_catnaps_own_paths_goes_there() {
    let world = awake().await;
    world.sim.apps_answer(|request| Ok(Response::builder().status(201).body(request.uri().path().into()).unwrap()));
    let page = world.ask(visit()).await;
    assert_eq!((page.status, page.text.as_str()), (201, "/reports/weekly"));
    let own = request("POST", "/api/items", &[("sec-fetch-site", "cross-site")]);
    assert_eq!(world.ask(own).await.text, "/api/items", "whoever asks, and with whatever method");
    assert_eq!(world.ask(sample("bot")).await.status, 201);
    assert_eq!(world.ask(status()).await.json()["phase"], "ready");
    assert_eq!(world.ask(request("GET", "/.catnap/other", &[])).await.status, 404);
    assert_eq!(world.sim.forwarded().len(), 3, "{:?}", world.sim.forwarded());
    assert_eq!(world.lines.last()["class"], "unknown-catnap-path");
}

#[tokio::test]
async fn the_log_says_what_was_bridged() {
    let world = awake().await;
    world.ask(visit()).await;
    let line = world.lines.last();
    assert_eq!((&line["reason"], &line["bridged"]), (&json!("ready"), &json!(200)));
}

#[tokio::test]
async fn a_cookie_outside_of_ascii_is_set_all_the_same() {
    let world = awake().await;
    world.sim.apps_answer(|_| {
        let cookie = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
        let answer = Response::builder().header("set-cookie", cookie("a=Größe".as_bytes()));
        Ok(answer.header("set-cookie", cookie(b"b=Gr\xf6\xdfe; Path=/")).body("é".into()).unwrap())
    });
    let now = world.sim.now();
    let moment = Moment { now, answer_by: now + TimeDelta::seconds(28), nonce: "n0nce".into() };
    let answer = world.starter().invoke(LambdaEvent::new(visit(), Context::default()), &moment).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["cookies"], json!(["a=Größe", "b=Größe; Path=/"]));
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("é")));
    assert_eq!((&answer["isBase64Encoded"], answer["headers"].get("set-cookie")), (&json!(false), None));
}

#[tokio::test]
async fn with_poll_or_without_tls_nothing_is_bridged() {
    for (name, value) in [("CATNAP_HANDOFF", "poll"), ("CATNAP_ORIGIN", "http://app.example.com")] {
        let world = awake().await.with(name, value);
        let page = world.ask(visit()).await;
        assert!(page.is_page() && page.text.contains("is awake"), "{name}: {}", page.text);
        assert_eq!(world.ask(status()).await.json()["navigate_after_seconds"], json!([65, 130, 400]), "{name}");
        assert_eq!(world.sim.forwarded().len(), 0, "{name}");
    }
    assert_eq!(awake().await.ask(status()).await.json()["navigate_after_seconds"][0], 0);
}

#[tokio::test]
async fn what_only_route_53_can_reach_is_not_bridged() {
    let world = awake().await.with("CATNAP_HEALTH_CHECK_ID", "hc-1");
    world.sim.app_answers(&world.id, Probe::TimedOut);
    let status = world.ask(status()).await.json();
    assert_eq!((&status["phase"], &status["navigate_after_seconds"][0]), (&json!("ready"), &json!(65)));
    assert!(world.ask(visit()).await.is_page());
}

#[tokio::test]
async fn what_cannot_be_bridged_gets_a_clear_answer_and_a_page_that_leads_there_later() {
    let unforwarded: [(Unforwarded, u16, &str, u32); 4] = [
        (Unforwarded::TooLarge, 503, "too large", 65),
        (Unforwarded::Stream, 503, "is a stream", 65),
        (Unforwarded::TimedOut, 504, "takes longer", 65),
        (Unforwarded::Broken, 502, "broke off", 3),
    ];
    for (what, code, words, first) in unforwarded {
        let world = awake().await;
        world.sim.apps_answer(match what {
            Unforwarded::TooLarge => |_| Err(Unforwarded::TooLarge),
            Unforwarded::Stream => |_| Err(Unforwarded::Stream),
            Unforwarded::TimedOut => |_| Err(Unforwarded::TimedOut),
            _ => |_| Err(Unforwarded::Broken),
        });
        let page = world.ask(visit()).await;
        assert_eq!((page.status, page.is_page()), (code, true), "{what:?}");
        assert!(page.text.contains(words), "{what:?}: {}", page.text);
        assert!(page.text.contains(&format!("\"navigate_after_seconds\":[{first},")), "{what:?}");
        let posted = world.ask(request("POST", "/items", &[])).await;
        assert_eq!((posted.status, posted.header("content-type")), (code, "application/problem+json"), "{what:?}");
        assert!(posted.json()["detail"].as_str().unwrap().contains("Whether it was carried out is not known"));
        assert!(posted.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(world.lines.last()["unbridged"], serde_json::to_value(what).unwrap());
    }
    let world = awake().await;
    let socket = world.ask(request("GET", "/ws", &[("upgrade", "websocket"), ("connection", "upgrade")])).await;
    assert_eq!((socket.status, world.sim.forwarded().len()), (503, 0));
    assert!(socket.json()["detail"].as_str().unwrap().contains("stays open"));
}

#[tokio::test]
async fn an_app_that_went_away_is_looked_at_again_and_not_taken_for_awake() {
    let world = awake().await;
    let starter = world.starter();
    assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
    world.sim.app_answers(&world.id, Probe::Refused);
    let page = ask(&starter, &world.sim, visit()).await;
    assert!(page.is_page() && page.text.contains("is starting"), "{}", page.text);
    let posted = ask(&starter, &world.sim, request("POST", "/", &[])).await;
    assert_eq!((posted.status, posted.json()["phase"].clone()), (503, json!("starting")));
}

#[tokio::test]
async fn the_time_a_wake_takes_is_learned() {
    let world = World::new();
    let starter = world.starter();
    let expected = |answer: &common::Answer| answer.json()["expected_seconds"].clone();
    assert_eq!(expected(&ask(&starter, &world.sim, wake()).await), 90);
    world.seconds(38);
    ask(&starter, &world.sim, status()).await;
    world.seconds(5);
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["phase"], "ready");
    assert_eq!(world.lines.last()["WakeSeconds"], 43);
    assert_eq!(world.sim.instance(&world.id).tags["catnap:wake-seconds"], "43");

    world.seconds(60);
    ask(&starter, &world.sim, status()).await;
    assert_eq!(world.sim.calls("CreateTags", ""), 1, "once a wake");
    assert_eq!(expected(&world.ask(status()).await), 43, "another Lambda reads the tag");
}

#[tokio::test]
async fn one_wake_is_learned_once_however_many_saw_it() {
    let world = World::new();
    let starters = [world.starter(), world.starter(), world.starter()];
    for _ in 0..2 {
        ask(&starters[0], &world.sim, wake()).await;
        world.seconds(38);
        for starter in &starters {
            ask(starter, &world.sim, status()).await;
        }
        for starter in &starters {
            world.seconds(3);
            assert_eq!(ask(starter, &world.sim, status()).await.json()["phase"], "ready");
        }
        shared::cloud::Cloud::stop(&&world.sim, &world.id).await.unwrap();
        world.seconds(60);
    }
    assert_eq!(world.sim.instance(&world.id).tags["catnap:wake-seconds"], "41 41", "the second one took as long");
}

#[tokio::test]
async fn a_wake_whose_end_nobody_saw_teaches_nothing() {
    let world = World::new();
    let starter = world.starter();
    ask(&starter, &world.sim, wake()).await;
    world.seconds(20);
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["phase"], "starting");
    world.seconds(600);
    assert_eq!(ask(&starter, &world.sim, status()).await.json()["phase"], "ready");
    assert_eq!(world.sim.calls("CreateTags", ""), 0);
}

#[tokio::test]
async fn a_tag_that_cannot_be_written_keeps_nobody_from_the_app() {
    let world = World::new();
    let starter = world.starter();
    ask(&starter, &world.sim, wake()).await;
    world.seconds(38);
    ask(&starter, &world.sim, status()).await;
    world.seconds(5);
    world.sim.fail_next("CreateTags", Trouble::NotPermitted);
    assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
    assert!(world.lines.last()["error"].as_str().unwrap().contains("CreateTags"));
}

#[tokio::test]
async fn a_failover_that_does_not_converge_is_counted_and_not_hidden_by_the_bridge() {
    let world = awake().await;
    let starter = world.starter();
    let gateway: IpAddr = "198.51.100.1".parse().unwrap();
    world.sim.point_dns(&APP.parse().unwrap(), gateway);
    let mut stuck = Vec::new();
    for minute in 0..14 {
        assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
        if world.lines.last().get("FailoverStuck").is_some() {
            stuck.push(minute);
        }
        world.seconds(60);
    }
    assert_eq!(stuck, [11, 12, 13]);

    assert_eq!(world.lines.last()["failover"], "stuck");

    let own = world.sim.instance(&world.id).public_address.unwrap();
    world.sim.point_dns(&APP.parse().unwrap(), own);
    ask(&starter, &world.sim, visit()).await;
    let line = world.lines.last();
    assert!(line.get("FailoverStuck").is_none(), "DNS leads to it: a browser's old connection");
    assert_eq!(line["failover"], "converged");
}

#[tokio::test]
async fn dns_that_does_not_answer_is_not_waited_for_by_each_visitor() {
    let world = awake().await;
    let starter = world.starter();
    for lookups in [1, 1, 2] {
        assert_eq!(ask(&starter, &world.sim, visit()).await.status, 200);
        assert_eq!(world.lines.last()["failover"], "converging");
        assert_eq!(world.sim.calls("LookUp", ""), lookups);
        world.seconds(6);
    }
}

#[tokio::test]
async fn a_bridged_answer_shows_the_way_out() {
    let world = awake().await;
    let way_out = world.ask(visit()).await.header("alt-svc").to_owned();
    assert_eq!(way_out, "h2=\"192.0.2.1:443\"; ma=60");
    let elsewhere = awake().await.with("CATNAP_ORIGIN", "https://app.example.com:8443");
    assert_eq!(elsewhere.ask(visit()).await.header("alt-svc"), "", "visitors come to port 443");
}
