//! The app over HTTP: the starter's own check of it, and visitors' requests passed on.

use std::error::Error;
use std::future::{Ready, ready};
use std::io::{self, Cursor};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::Utc;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{self, Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use lambda_http::http;
use rustls::ClientConfig;
use shared::cloud::{App, Destination, Limits, Unforwarded};
use shared::model::{HostName, Probe};
use tower::Service;

/// How long the app may take to answer the starter's check: the visitor asks again every few seconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long DNS may take.
const DNS_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the app itself, at its instance's own address and by its own name.
#[derive(Debug, Default)]
pub struct HttpApp {
    /// The system's root certificates, read when the first app is asked over TLS and not before.
    tls: OnceLock<Option<ClientConfig>>,
}

impl App for HttpApp {
    async fn probe(&self, to: &Destination, path: &str) -> Probe {
        match tokio::time::timeout(PROBE_TIMEOUT, self.ask(to, path)).await {
            Err(_) => Probe::TimedOut,
            Ok(Err(error)) => what_failed(error.as_ref()),
            Ok(Ok(status)) if status < 500 => Probe::Ready,
            Ok(Ok(status)) => Probe::Unwell(status),
        }
    }

    async fn forward(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        let left = (limits.until - Utc::now()).to_std().unwrap_or_default();
        tokio::time::timeout(left, self.pass_on(to, request, limits.bytes)).await.unwrap_or(Err(Unforwarded::TimedOut))
    }

    async fn addresses(&self, host: &HostName) -> Vec<IpAddr> {
        let found = tokio::time::timeout(DNS_TIMEOUT, tokio::net::lookup_host((host.as_str(), 443))).await;
        found.ok().and_then(Result::ok).into_iter().flatten().map(|address| address.ip()).collect()
    }
}

impl HttpApp {
    async fn ask(&self, to: &Destination, path: &str) -> Result<u16, Box<dyn Error + Send + Sync>> {
        let mut ask = Request::get(path).body(Vec::new())?;
        ask.headers_mut().insert(USER_AGENT, HeaderValue::from_static("Catnap"));
        ask.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        Ok(self.send(to, ask)?.await?.status().as_u16())
    }

    async fn pass_on(
        &self,
        to: &Destination,
        request: Request<Vec<u8>>,
        most_bytes: usize,
    ) -> Result<Response<Vec<u8>>, Unforwarded> {
        let sent = self.send(to, request).map_err(|_| Unforwarded::NotReached(Probe::Broken))?;
        let (parts, body) = sent.await.map_err(|error| why_no_answer(&error))?.into_parts();
        if is_stream(&parts.headers) {
            return Err(Unforwarded::Stream);
        }
        let body = Limited::new(body, most_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Unforwarded::TooLarge } else { Unforwarded::Broken }
        })?;
        Ok(Response::from_parts(parts, body.to_bytes().into()))
    }

    /// Sends a request over a connection of its own: one kept from before a Lambda was frozen may have died since,
    /// and who finds out is the visitor. The request's address is a path and a query.
    fn send(
        &self,
        to: &Destination,
        mut request: Request<Vec<u8>>,
    ) -> Result<ResponseFuture, Box<dyn Error + Send + Sync>> {
        let path = request.uri().path_and_query().cloned().ok_or("no path")?;
        let scheme = if to.origin.tls { "https" } else { "http" };
        // No port: the name that visitors use has none, and the address below has the right one.
        *request.uri_mut() = Uri::builder().scheme(scheme).authority(to.host.as_str()).path_and_query(path).build()?;
        let request = request.map(|body| Full::new(Cursor::new(body)));
        let client = Client::builder(TokioExecutor::new());
        let mut http = HttpConnector::new_with_resolver(Fixed(to.address));
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Ok(if to.origin.tls {
            let tls = HttpsConnectorBuilder::new().with_tls_config(self.tls()?.clone()).https_only().enable_http1();
            client.build(tls.wrap_connector(http)).request(request)
        } else {
            client.build(http).request(request)
        })
    }

    fn tls(&self) -> Result<&ClientConfig, &'static str> {
        let read = || {
            let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
            let config = config.with_safe_default_protocol_versions().ok()?.with_native_roots().ok()?;
            Some(config.with_no_client_auth())
        };
        self.tls.get_or_init(read).as_ref().ok_or("no root certificates on this system")
    }
}

/// Finds every name at one address: DNS, which may still point to the starter, has no say.
#[derive(Debug, Clone)]
struct Fixed(SocketAddr);

impl Service<Name> for Fixed {
    type Response = std::iter::Once<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::iter::once(self.0)))
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["text/event-stream", "multipart/x-mixed-replace"].iter().any(|stream| kind.starts_with(stream))
}

fn why_no_answer(error: &legacy::Error) -> Unforwarded {
    if error.is_connect() { Unforwarded::NotReached(what_failed(error)) } else { Unforwarded::Broken }
}

/// Finds in an error's causes what the visitor can be told.
fn what_failed(error: &(dyn Error + 'static)) -> Probe {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return Probe::TlsFailed;
        }
        let io = error.downcast_ref::<io::Error>();
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return Probe::Refused,
            Some(io::ErrorKind::TimedOut) => return Probe::TimedOut,
            _ => {}
        }
        // The source of an `io::Error` is its inner error's source: the inner one itself has to be asked for.
        let inner = io.and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        cause = inner.or_else(|| error.source());
    }
    Probe::Broken
}
