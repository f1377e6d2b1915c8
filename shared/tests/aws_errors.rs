//! Every error code that AWS is known to answer with, replayed over HTTP to the real SDK.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![cfg(feature = "aws")]

use shared::aws::{Aws, Pace};
use shared::cloud::{Cloud, Metric, Targets};
use shared::model::{CheckKind, InstanceState};
use shared::steer::Marks;
use shared::trouble::{CloudError, Trouble};
use wiremock::matchers::{any, body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn client(server: &MockServer, pace: Pace) -> Aws {
    let url = server.uri();
    Aws::from_environment(pace, move |name| match name {
        "AWS_REGION" => Some("eu-central-1".into()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".into()),
        "AWS_ENDPOINT_URL" => Some(url.clone()),
        _ => None,
    })
    .unwrap()
}

fn ec2_error(status: u16, code: &str) -> ResponseTemplate {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>about i-0123456789abcdef0</Message></Error></Errors>\
         <RequestID>r-1</RequestID></Response>"
    );
    ResponseTemplate::new(status).set_body_raw(body, "text/xml")
}

async fn start(status: u16, code: &str) -> (CloudError, usize) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ec2_error(status, code)).mount(&server).await;
    let error = client(&server, Pace::Visitor).start(&"i-0123456789abcdef0".parse().unwrap()).await.unwrap_err();
    (error, server.received_requests().await.unwrap().len())
}

#[tokio::test]
async fn each_ec2_code_has_its_meaning_and_a_start_is_sent_once() {
    #[rustfmt::skip]
    let table = [
        (400, "InvalidInstanceID.NotFound",    Trouble::NotFound),
        (400, "InvalidInstanceID.Malformed",   Trouble::Malformed),
        (403, "UnauthorizedOperation",         Trouble::NotPermitted),
        (401, "AuthFailure",                   Trouble::NotPermitted),
        (400, "OperationNotPermitted",         Trouble::StopProtected),
        (400, "IncorrectInstanceState",        Trouble::WrongState),
        (400, "UnsupportedOperation",          Trouble::Unsupported),
        (400, "IncorrectSpotRequestState",     Trouble::Spot),
        (400, "InstanceLimitExceeded",         Trouble::Quota),
        (400, "VcpuLimitExceeded",             Trouble::Quota),
        (400, "InsufficientInstanceCapacity",  Trouble::Capacity),
        (500, "InsufficientInstanceCapacity",  Trouble::Capacity),
        (503, "RequestLimitExceeded",          Trouble::Throttled),
        (400, "RequestLimitExceeded",          Trouble::Throttled),
        (500, "InternalError",                 Trouble::Unexpected),
        (400, "SomethingNew",                  Trouble::Unexpected),
    ];
    for (status, code, trouble) in table {
        let (error, requests) = start(status, code).await;
        assert_eq!((error.trouble, error.code.as_str(), error.operation), (trouble, code, "StartInstances"));
        assert_eq!(error.message, "about i-0123456789abcdef0", "the log has it in full");
        assert_eq!(requests, 1, "{code}: the account's bucket holds five starts");
    }
}

#[tokio::test]
async fn reading_is_tried_again_and_stopping_too() {
    let server = MockServer::start().await;
    Mock::given(body_string_contains("DescribeInstances"))
        .respond_with(ec2_error(503, "RequestLimitExceeded"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(body_string_contains("DescribeInstances")).respond_with(instances(ONE_OF_EACH)).mount(&server).await;
    let found = client(&server, Pace::Visitor).instances(&Targets::Tagged).await.unwrap();
    assert_eq!(found.len(), 2);

    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ec2_error(400, "OperationNotPermitted")).mount(&server).await;
    let error = client(&server, Pace::Tick).stop(&"i-0123456789abcdef0".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.trouble, error.operation), (Trouble::StopProtected, "StopInstances"));
}

#[tokio::test]
async fn an_answer_of_something_in_between_has_its_status_in_the_log() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(407)).mount(&server).await;
    let error = client(&server, Pace::Visitor).instances(&Targets::Tagged).await.unwrap_err();
    assert_eq!((error.trouble, error.message.as_str()), (Trouble::Unexpected, "HTTP status 407"));
}

#[tokio::test]
async fn no_answer_is_unreachable_with_its_cause() {
    let nobody = MockServer::builder().start().await;
    let aws = client(&nobody, Pace::Visitor);
    drop(nobody);
    let error = aws.instances(&Targets::Tagged).await.unwrap_err();
    assert_eq!((error.trouble, error.code.as_str()), (Trouble::Unreachable, ""));
    assert!(error.message.to_lowercase().contains("connect"), "{}", error.message);
}

const ONE_OF_EACH: &str = r"
<item>
  <instanceId>i-0123456789abcdef0</instanceId>
  <instanceState><code>80</code><name>stopped</name></instanceState>
  <stateReason><code>Client.InternalError</code><message>Client error on launch</message></stateReason>
  <launchTime>2026-03-01T08:00:00.000Z</launchTime>
  <ipAddress>203.0.113.9</ipAddress>
  <rootDeviceType>ebs</rootDeviceType>
  <monitoring><state>enabled</state></monitoring>
  <tagSet><item><key>catnap:host</key><value>app.example.com</value></item></tagSet>
</item>
<item>
  <instanceId>i-01234567</instanceId>
  <instanceState><code>16</code><name>running</name></instanceState>
  <launchTime>2026-03-01T09:00:00.000Z</launchTime>
  <rootDeviceType>instance-store</rootDeviceType>
  <instanceLifecycle>spot</instanceLifecycle>
  <monitoring><state>disabled</state></monitoring>
</item>";

fn instances(items: &str) -> ResponseTemplate {
    let body = format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
         <reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    ResponseTemplate::new(200).set_body_raw(body, "text/xml")
}

#[tokio::test]
async fn an_instance_is_read_in_full() {
    let server = MockServer::start().await;
    Mock::given(body_string_contains("MaxResults=1000"))
        .and(body_string_contains("tag-key"))
        .respond_with(instances(ONE_OF_EACH))
        .expect(1)
        .mount(&server)
        .await;
    let found = client(&server, Pace::Tick).instances(&Targets::Tagged).await.unwrap();
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.state, first.state_reason.as_deref()), (InstanceState::Stopped, Some("Client.InternalError")));
    assert_eq!((first.public_address, first.detailed_monitoring), ("203.0.113.9".parse().ok(), true));
    assert_eq!(first.launched_at.to_rfc3339(), "2026-03-01T08:00:00+00:00");
    assert_eq!(first.tags["catnap:host"], "app.example.com");
    assert_eq!((second.public_address, second.spot, second.instance_store_root), (None, true, true));

    // By id there are no pages: EC2 refuses MaxResults beside ids.
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(instances(ONE_OF_EACH)).mount(&server).await;
    let one = Targets::One("i-0123456789abcdef0".parse().unwrap());
    client(&server, Pace::Tick).instances(&one).await.unwrap();
    let sent = String::from_utf8(server.received_requests().await.unwrap()[0].body.clone()).unwrap();
    assert!(sent.contains("InstanceId.1=i-0123456789abcdef0") && !sent.contains("MaxResults"), "{sent}");
}

#[tokio::test]
async fn an_instance_without_what_it_must_have_is_an_error_that_says_what() {
    let server = MockServer::start().await;
    let item = ONE_OF_EACH.replace("<launchTime>2026-03-01T09:00:00.000Z</launchTime>", "");
    Mock::given(any()).respond_with(instances(&item)).mount(&server).await;
    let error = client(&server, Pace::Tick).instances(&Targets::Tagged).await.unwrap_err();
    assert_eq!(
        (error.trouble, error.message.as_str()),
        (Trouble::Unexpected, "the answer about \"i-01234567\" lacks LaunchTime")
    );
}

fn health_check(config: &str) -> ResponseTemplate {
    let body = format!(
        "<GetHealthCheckResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HealthCheck><Id>c</Id>\
         <CallerReference>r</CallerReference><HealthCheckConfig>{config}</HealthCheckConfig>\
         <HealthCheckVersion>1</HealthCheckVersion></HealthCheck></GetHealthCheckResponse>"
    );
    ResponseTemplate::new(200).set_body_raw(body, "text/xml")
}

#[tokio::test]
async fn a_health_check_is_read_with_what_its_noise_depends_on() {
    let three = "<Regions><Region>us-east-1</Region><Region>eu-west-1</Region><Region>sa-east-1</Region></Regions>";
    #[rustfmt::skip]
    let table = [
        (format!("<Type>HTTP</Type><RequestInterval>10</RequestInterval>{three}"), (CheckKind::Http, 10, 3, false)),
        ("<Type>HTTPS_STR_MATCH</Type><RequestInterval>30</RequestInterval>".into(), (CheckKind::Https, 30, 8, false)),
        ("<Type>TCP</Type><Disabled>true</Disabled>".into(),                         (CheckKind::Tcp, 30, 8, true)),
        ("<Type>CALCULATED</Type>".into(),                                           (CheckKind::Other, 30, 8, false)),
    ];
    for (config, expected) in table {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/2013-04-01/healthcheck/check-1"))
            .respond_with(health_check(&config))
            .mount(&server)
            .await;
        let read = client(&server, Pace::Tick).health_check(&"check-1".parse().unwrap()).await.unwrap();
        assert_eq!((read.kind, read.interval_seconds, read.regions, read.disabled), expected, "{config}");
    }
}

#[tokio::test]
async fn route_53s_errors_have_their_meaning() {
    let error = |code: &str| {
        format!(
            "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        )
    };
    for (status, code, trouble) in [
        (404, "NoSuchHealthCheck", Trouble::NotFound),
        (403, "AccessDenied", Trouble::NotPermitted),
        (400, "Throttling", Trouble::Throttled),
        (400, "PriorRequestNotComplete", Trouble::Throttled),
        (409, "HealthCheckVersionMismatch", Trouble::Outdated),
    ] {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).set_body_raw(error(code), "text/xml"))
            .mount(&server)
            .await;
        let aws = client(&server, Pace::Visitor);
        let id = "check-1".parse().unwrap();
        assert_eq!(aws.health_check(&id).await.unwrap_err().trouble, trouble, "{code}");
        assert_eq!(aws.is_healthy(&id, chrono::DateTime::UNIX_EPOCH).await.unwrap_err().trouble, trouble, "{code}");
        assert_eq!(aws.mark(&id, &Marks::default()).await.unwrap_err().trouble, trouble, "{code}");
    }
}

#[tokio::test]
async fn healthy_is_more_than_18_per_cent_of_checkers_since_the_boot() {
    let observation = |status: &str, at: &str| {
        format!(
            "<HealthCheckObservation><Region>us-east-1</Region><IPAddress>192.0.2.1</IPAddress><StatusReport>\
                 <Status>{status}</Status><CheckedTime>{at}</CheckedTime></StatusReport></HealthCheckObservation>"
        )
    };
    let (good, bad) = ("Success: HTTP Status Code 200, OK", "Failure: The health checker could not connect");
    let (before, after) = ("2026-03-01T07:59:00.000Z", "2026-03-01T08:01:00.000Z");
    for (successes, failures, at, healthy) in
        [(6, 0, after, true), (2, 8, after, true), (1, 9, after, false), (6, 0, before, false), (0, 0, after, false)]
    {
        let all = observation(good, at).repeat(successes) + &observation(bad, at).repeat(failures);
        let body = format!(
            "<GetHealthCheckStatusResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <HealthCheckObservations>{all}</HealthCheckObservations></GetHealthCheckStatusResponse>"
        );
        let server = MockServer::start().await;
        Mock::given(path("/2013-04-01/healthcheck/check-1/status"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/xml"))
            .mount(&server)
            .await;
        let since = "2026-03-01T08:00:00Z".parse().unwrap();
        let seen = client(&server, Pace::Visitor).is_healthy(&"check-1".parse().unwrap(), since).await.unwrap();
        assert_eq!(seen, healthy, "{successes} of {}", successes + failures);
    }
}

/// CloudWatch speaks Smithy's RPC protocol with CBOR bodies: texts of up to 23 bytes are one length byte and themselves.
fn cbor_error(code: &str) -> Vec<u8> {
    let text = |text: &str| [&[0x60 + u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0xa2], text("__type"), text(code), text("message"), text("m")].concat()
}

#[tokio::test]
async fn what_cloudwatch_refuses_is_an_error_and_never_an_empty_series() {
    for (status, code, trouble) in [
        (403, "AccessDeniedException", Trouble::NotPermitted),
        (400, "ThrottlingException", Trouble::Throttled),
        (500, "InternalServiceFault", Trouble::Unexpected),
    ] {
        let server = MockServer::start().await;
        let refusal = ResponseTemplate::new(status)
            .insert_header("smithy-protocol", "rpc-v2-cbor")
            .set_body_raw(cbor_error(code), "application/cbor");
        Mock::given(any()).respond_with(refusal).mount(&server).await;
        let metric = Metric::HealthStatus("check-1".parse().unwrap());
        let (from, until) = ("2026-03-01T08:00:00Z".parse().unwrap(), "2026-03-01T09:00:00Z".parse().unwrap());
        let error = client(&server, Pace::Visitor).metrics(&[metric], from, until).await.unwrap_err();
        assert_eq!((error.trouble, error.operation), (trouble, "GetMetricData"), "{code}");
    }
}
