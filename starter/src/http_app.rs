//! The starter's own check of the app, over HTTP.

use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Uri};
use http_body_util::Empty;
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use lambda_http::http;
use rustls::ClientConfig;
use shared::cloud::{App, ProbeRequest};
use shared::model::Probe;
use tower::Service;

/// How long the app may take to answer: the visitor asks again every few seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the app itself, at its instance's own address and by its own name.
#[derive(Debug, Default)]
pub struct HttpApp {
    /// The system's root certificates, read when the first app is asked over TLS and not before.
    tls: OnceLock<Option<ClientConfig>>,
}

impl App for HttpApp {
    async fn probe(&self, request: &ProbeRequest) -> Probe {
        match tokio::time::timeout(TIMEOUT, self.ask(request)).await {
            Err(_) => Probe::TimedOut,
            Ok(Err(error)) => what_failed(error.as_ref()),
            Ok(Ok(status)) if status < 500 => Probe::Ready,
            Ok(Ok(status)) => Probe::Unwell(status),
        }
    }
}

impl HttpApp {
    async fn ask(&self, request: &ProbeRequest) -> Result<u16, Box<dyn Error + Send + Sync>> {
        let scheme = if request.origin.tls { "https" } else { "http" };
        // No port: the name that visitors use has none, and the address below has the right one.
        let uri: Uri = format!("{scheme}://{}{}", request.host, request.path).parse()?;
        let ask = Request::get(uri).header("user-agent", "Catnap").header("accept", "*/*");
        let ask = ask.body(Empty::<&[u8]>::new())?;
        let client = Client::builder(TokioExecutor::new());
        let mut http = HttpConnector::new_with_resolver(Fixed(request.address));
        http.enforce_http(false);
        let answer = if request.origin.tls {
            let tls = HttpsConnectorBuilder::new().with_tls_config(self.tls()?.clone()).https_only().enable_http1();
            client.build(tls.wrap_connector(http)).request(ask).await?
        } else {
            client.build(http).request(ask).await?
        };
        Ok(answer.status().as_u16())
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
