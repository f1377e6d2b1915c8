//! Lists in pages and packed metrics, replayed over HTTP to the real SDK.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![cfg(feature = "aws")]

use chrono::{DateTime, TimeDelta, Utc};
use shared::aws::{Aws, Pace};
use shared::cloud::{Cloud, Metric, Targets};
use shared::model::{CheckKind, Series};
use wiremock::matchers::{any, body_string_contains, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn client(server: &MockServer) -> Aws {
    let url = server.uri();
    Aws::from_environment(Pace::Tick, move |name| match name {
        "AWS_REGION" => Some("eu-central-1".into()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".into()),
        "AWS_ENDPOINT_URL" => Some(url.clone()),
        _ => None,
    })
    .unwrap()
}

fn page(ids: &[&str], next: &str) -> ResponseTemplate {
    let item = |id: &&str| {
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState>\
             <launchTime>2026-03-01T08:00:00.000Z</launchTime></item>"
        )
    };
    let body = format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
         <reservationSet><item><instancesSet>{}</instancesSet></item></reservationSet><nextToken>{next}</nextToken>\
         </DescribeInstancesResponse>",
        ids.iter().map(item).collect::<String>()
    );
    ResponseTemplate::new(200).set_body_raw(body, "text/xml")
}

#[tokio::test]
async fn instances_come_in_pages_and_gone_ones_are_not_asked_for() {
    let server = MockServer::start().await;
    let second = Mock::given(body_string_contains("NextToken=two")).respond_with(page(&["i-00000002"], ""));
    second.with_priority(1).expect(1).mount(&server).await;
    Mock::given(body_string_contains("MaxResults=1000"))
        .respond_with(page(&["i-00000001"], "two"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let found = client(&server).instances(&Targets::Tagged).await.unwrap();
    let ids: Vec<_> = found.iter().map(|instance| instance.id.as_str()).collect();
    assert_eq!(ids, ["i-00000001", "i-00000002"]);
    let sent = String::from_utf8(server.received_requests().await.unwrap()[0].body.clone()).unwrap();
    assert!(sent.contains("Filter.1.Name=tag-key&Filter.1.Value.1=catnap%3Ahost"), "{sent}");
    assert!(sent.contains("Filter.2.Name=instance-state-name&Filter.2.Value.1=pending"), "{sent}");
    assert!(!sent.contains("terminated") && !sent.contains("shutting-down"), "{sent}");
}

#[tokio::test]
async fn one_instance_that_cannot_be_read_hides_no_other() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(page(&["i-00000001", "not-an-id", "i-00000002"], "")).mount(&server).await;
    let page = client(&server).instances_page(&Targets::Tagged, None).await.unwrap();
    let [Ok(first), Err(error), Ok(second)] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!((first.id.as_str(), second.id.as_str()), ("i-00000001", "i-00000002"));
    assert_eq!(error.message, "the answer about \"not-an-id\" lacks InstanceId");
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn a_name_is_looked_up_by_its_exact_text_among_gone_ones_too() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(page(&["i-00000001"], "")).mount(&server).await;
    client(&server).instances(&Targets::Host("app.example.com".parse().unwrap())).await.unwrap();
    let sent = String::from_utf8(server.received_requests().await.unwrap()[0].body.clone()).unwrap();
    assert!(sent.contains("Filter.1.Name=tag%3Acatnap%3Ahost&Filter.1.Value.1=app.example.com"), "{sent}");
    assert!(!sent.contains("Filter.2") && !sent.contains("MaxResults"), "{sent}");
}

#[tokio::test]
async fn health_checks_come_in_pages_with_their_ids() {
    let list = |id: &str, kind: &str, next: &str| {
        let next = if next.is_empty() { String::new() } else { format!("<NextMarker>{next}</NextMarker>") };
        let body = format!(
            "<ListHealthChecksResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HealthChecks><HealthCheck>\
             <Id>{id}</Id><CallerReference>r</CallerReference><HealthCheckConfig><Type>{kind}</Type></HealthCheckConfig>\
             <HealthCheckVersion>1</HealthCheckVersion></HealthCheck></HealthChecks><Marker></Marker>\
             <IsTruncated>{}</IsTruncated>{next}<MaxItems>1000</MaxItems></ListHealthChecksResponse>",
            !next.is_empty()
        );
        ResponseTemplate::new(200).set_body_raw(body, "text/xml")
    };
    let server = MockServer::start().await;
    let at = || Mock::given(method("GET")).and(path("/2013-04-01/healthcheck")).and(query_param("maxitems", "1000"));
    at().and(query_param_is_missing("marker")).respond_with(list("check-1", "HTTP", "two")).mount(&server).await;
    at().and(query_param("marker", "two")).respond_with(list("check-2", "TCP", "")).mount(&server).await;
    let aws = client(&server);
    let first = aws.health_checks_page(None).await.unwrap();
    let second = aws.health_checks_page(first.next.as_deref()).await.unwrap();
    let read = |page: &shared::cloud::Page<_>| {
        let (id, config): &(shared::model::HealthCheckId, shared::model::HealthCheckConfig) = &page.items[0];
        (id.to_string(), config.kind)
    };
    assert_eq!(read(&first), ("check-1".into(), CheckKind::Http));
    assert_eq!((read(&second), second.next), (("check-2".into(), CheckKind::Tcp), None));
}

/// As much of CBOR (RFC 8949) as an answer of GetMetricData needs.
fn cbor(kind: u8, count: usize) -> Vec<u8> {
    let low = u8::try_from(count).unwrap();
    if low < 24 { vec![kind << 5 | low] } else { vec![kind << 5 | 24, low] }
}

fn text(text: &str) -> Vec<u8> {
    [cbor(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    [cbor(5, members.len()), members.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect()]
        .concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [cbor(4, items.len()), items.concat()].concat()
}

fn double(value: f64) -> Vec<u8> {
    [vec![0xfb], value.to_be_bytes().to_vec()].concat()
}

/// One metric's part of an answer: its id, how it went, and values by minutes since the start.
fn result(id: &str, status: &str, points: &[(i32, f64)]) -> Vec<u8> {
    let at = |minute: i32| {
        let seconds = start().timestamp() + i64::from(minute) * 60;
        [vec![0xc1], double(f64::from(i32::try_from(seconds).unwrap()))].concat()
    };
    map(&[
        ("Id", text(id)),
        ("StatusCode", text(status)),
        ("Timestamps", list(&points.iter().map(|(minute, _)| at(*minute)).collect::<Vec<_>>())),
        ("Values", list(&points.iter().map(|(_, value)| double(*value)).collect::<Vec<_>>())),
    ])
}

fn answer(results: &[Vec<u8>], next: Option<&str>) -> ResponseTemplate {
    let mut members = vec![("MetricDataResults", list(results))];
    members.extend(next.map(|token| ("NextToken", text(token))));
    ResponseTemplate::new(200)
        .insert_header("smithy-protocol", "rpc-v2-cbor")
        .set_body_raw(map(&members), "application/cbor")
}

fn start() -> DateTime<Utc> {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

fn busy(host: &str) -> Metric {
    Metric::Busy(host.parse().unwrap())
}

async fn read(server: &MockServer, metrics: &[Metric]) -> Vec<Option<Series>> {
    client(server).metrics(metrics, start(), start() + TimeDelta::hours(1)).await.unwrap()
}

fn values(series: Option<&Series>) -> Vec<f64> {
    series.unwrap().points.iter().map(|point| point.value).collect()
}

#[tokio::test]
async fn a_series_in_two_pages_is_one() {
    let server = MockServer::start().await;
    let second = ["m0", "m1", "m2"].map(|id| result(id, "Complete", &[(2, 3.0)]));
    let page = Mock::given(any()).respond_with(answer(&second, None));
    let first = [result("m0", "PartialData", &[(0, 1.0), (1, 2.0)]), result("m2", "InternalError", &[])];
    Mock::given(any()).respond_with(answer(&first, Some("two"))).up_to_n_times(1).mount(&server).await;
    page.expect(1).mount(&server).await;
    let read = read(&server, &["a", "b", "c"].map(|name| busy(&format!("{name}.example.com")))).await;
    assert_eq!((values(read[0].as_ref()), values(read[1].as_ref())), (vec![1.0, 2.0, 3.0], vec![3.0]));
    assert_eq!(read[2], None, "a part of it could not be read");
}

#[tokio::test]
async fn what_is_not_whole_is_not_read_and_the_others_are() {
    let server = MockServer::start().await;
    let results = [
        result("m0", "InternalError", &[]),
        result("m1", "Forbidden", &[]),
        result("m2", "PartialData", &[(0, 1.0)]), // and no further page
        result("m4", "Complete", &[(0, 5.0)]),    // and of m3 not a word
    ];
    Mock::given(any()).respond_with(answer(&results, None)).mount(&server).await;
    let names = ["a", "b", "c", "d", "e"].map(|name| busy(&format!("{name}.example.com")));
    let read = read(&server, &names).await;
    assert!(read[..4].iter().all(Option::is_none), "{read:?}");
    assert_eq!(values(read[4].as_ref()), [5.0]);
}

#[tokio::test]
async fn each_region_is_asked_once_and_for_its_own() {
    let server = MockServer::start().await;
    let both = [result("m0", "Complete", &[(0, 1.0)]), result("m1", "Complete", &[(0, 2.0)])];
    Mock::given(any()).respond_with(answer(&both, None)).mount(&server).await;
    read(&server, &[busy("a.example.com"), Metric::HealthStatus("check-1".parse().unwrap())]).await;
    let sent = server.received_requests().await.unwrap();
    let region = |index: usize| {
        let credential = sent[index].headers["authorization"].to_str().unwrap();
        credential.split('/').nth(2).unwrap().to_owned()
    };
    assert_eq!((sent.len(), region(0), region(1)), (2, "eu-central-1".into(), "us-east-1".into()));
}

#[tokio::test]
async fn a_page_that_is_throttled_is_asked_for_again() {
    let refusal = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m</Message></Error></Errors>\
                   <RequestID>r</RequestID></Response>";
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503).set_body_raw(refusal, "text/xml"))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(page(&["i-00000001"], "")).mount(&server).await;
    assert_eq!(client(&server).instances_page(&Targets::Tagged, None).await.unwrap().items.len(), 1);
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}
