//! The starter's own check of the app, against real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::SocketAddr;

use shared::cloud::{App, Destination};
use shared::config::Origin;
use shared::model::Probe;
use starter::HttpApp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const PATH: &str = "/health?deep=1";

fn at(address: SocketAddr, tls: bool) -> Destination {
    Destination { host: "app.example.com".parse().unwrap(), address, origin: Origin { tls, port: address.port() } }
}

#[tokio::test]
async fn any_answer_below_500_is_ready_asked_by_the_apps_own_name() {
    for (status, probe) in [
        (200, Probe::Ready),
        (301, Probe::Ready),
        (401, Probe::Ready),
        (404, Probe::Ready),
        (500, Probe::Unwell(500)),
        (502, Probe::Unwell(502)),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/health"))
            .and(header("host", "app.example.com"))
            .respond_with(ResponseTemplate::new(status))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(HttpApp::default().probe(&at(*server.address(), false), PATH).await, probe, "{status}");
    }
}

#[tokio::test]
async fn each_way_of_not_answering_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(HttpApp::default().probe(&at(closed, false), PATH).await, Probe::Refused);

    let garbage = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = garbage.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = garbage.accept().await.unwrap();
            let _ = connection.read(&mut [0; 4_096]).await; // unread bytes would make the close a reset
            connection.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
        }
    });
    assert_eq!(HttpApp::default().probe(&at(address, false), PATH).await, Probe::Broken);
    assert_eq!(HttpApp::default().probe(&at(address, true), PATH).await, Probe::TlsFailed);
}

#[tokio::test]
async fn an_app_that_hangs_times_out_before_the_visitor_does() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let started = std::time::Instant::now();
    assert_eq!(HttpApp::default().probe(&at(address, false), PATH).await, Probe::TimedOut);
    assert!(started.elapsed().as_secs() < 5);
}
