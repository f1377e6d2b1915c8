//! HTTP: the page's files, its stream of events, its commands; and, on the second port, the window's network.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::mpsc;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::sync::{broadcast, oneshot};

use super::command::Command;
use super::live::Ask;

type Body = UnsyncBoxBody<Bytes, Infallible>;
type World = mpsc::Sender<Ask>;

/// More than any form of the app's, or any command, has.
const LONGEST_BODY: usize = 1 << 20;

/// What the page is made of.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("web/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("web/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("web/page.js")),
    ("/show.js", "text/javascript; charset=utf-8", include_str!("web/show.js")),
    ("/chart.js", "text/javascript; charset=utf-8", include_str!("web/chart.js")),
    ("/icon.svg", "image/svg+xml", include_str!("web/icon.svg")),
];

/// Serves both ports for ever.
pub(crate) async fn serve(page: TcpListener, window: TcpListener, world: World) -> io::Result<()> {
    // The window's origin is on the page's own host, by whatever name that was opened.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         frame-src *:{}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        window.local_addr()?.port()
    );
    let page = listen(page, world.clone(), move |world, request| page_answer(world, policy.clone(), request));
    let window = listen(window, world, window_answer);
    tokio::try_join!(page, window).map(|_| ())
}

async fn listen<F, A>(listener: TcpListener, world: World, answer: F) -> io::Result<()>
where
    F: Fn(World, Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send,
{
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (world, answer) = (world.clone(), answer.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(world.clone(), request);
                async { Ok::<_, Infallible>(answer.await) }
            });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            let _ = connection.await; // a browser hangs up whenever it likes
        });
    }
}

/// The page itself.
async fn page_answer(world: World, policy: String, request: Request<Incoming>) -> Response<Body> {
    if !is_here(request.headers()) {
        return told(
            StatusCode::MISDIRECTED_REQUEST,
            "the sandbox answers to localhost and to addresses, not to names",
        );
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let get = method == Method::GET || method == Method::HEAD;
    let mut response = match (path.as_str(), FILES.iter().find(|(at, ..)| *at == path)) {
        (_, Some((_, kind, content))) if get => file(kind, content),
        ("/events", _) if method == Method::GET => events(world).await,
        ("/do", _) if method == Method::POST => command(world, request).await,
        ("/do", _) => not_allowed("POST"),
        ("/events", _) | (_, Some(_)) => not_allowed("GET"),
        _ => told(StatusCode::NOT_FOUND, &format!("there is no {path} here")),
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        set(&mut response, name, value);
    }
    response
}

/// Whether it was opened by an address or as `localhost`: another name may be anyone's, and lead here.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

async fn command(world: World, request: Request<Incoming>) -> Response<Body> {
    // Another site's page can only send what browsers send without asking first, and JSON is not that.
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a command is application/json");
    }
    let Some(body) = read(request.into_body()).await else {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "this is too long for a command");
    };
    let command = match Command::read(&body) {
        Ok(command) => command,
        Err(why) => return told(StatusCode::BAD_REQUEST, &why),
    };
    match ask(&world, |answer| Ask::Do(command, answer)).await {
        Some(Ok(())) => json(StatusCode::OK, &json!({"done": true})),
        Some(Err(why)) => told(StatusCode::BAD_REQUEST, &why),
        None => over(),
    }
}

/// All there is, and from then on what changes. A page that cannot follow begins anew, by itself.
async fn events(world: World) -> Response<Body> {
    let Some((all, news)) = ask(&world, Ask::Watch).await else { return over() };
    let frames = unfold((Some(all), news), |(first, mut news)| async {
        let json = match first {
            Some(json) => json,
            None => match news.recv().await {
                Ok(json) => json,
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => return None,
            },
        };
        let event = Frame::data(Bytes::from(format!("data: {json}\n\n")));
        Some((Ok::<_, Infallible>(event), (None, news)))
    });
    let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(frames)));
    set(&mut response, CONTENT_TYPE, "text/event-stream");
    response
}

/// The window's network.
async fn window_answer(world: World, request: Request<Incoming>) -> Response<Body> {
    if !is_here(request.headers()) {
        return told(
            StatusCode::MISDIRECTED_REQUEST,
            "the sandbox answers to localhost and to addresses, not to names",
        );
    }
    let (parts, body) = request.into_parts();
    let Some(body) = read(body).await else {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "more than 1 MB cannot be sent in the sandbox");
    };
    let request = Request::from_parts(parts, body.to_vec());
    match ask(&world, |answer| Ask::Send(Box::new(request), answer)).await {
        Some(response) => response.map(|body| Full::new(body.into()).boxed_unsync()),
        None => over(),
    }
}

async fn read(body: Incoming) -> Option<Bytes> {
    Some(Limited::new(body, LONGEST_BODY).collect().await.ok()?.to_bytes())
}

async fn ask<T>(world: &World, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
    let (sender, answer) = oneshot::channel();
    world.send(ask(sender)).ok()?;
    answer.await.ok()
}

fn file(kind: &str, content: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(content).boxed_unsync());
    set(&mut response, CONTENT_TYPE, kind);
    response
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Full::from(format!("{value}\n")).boxed_unsync());
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

fn told(status: StatusCode, why: &str) -> Response<Body> {
    json(status, &json!({ "error": why }))
}

fn not_allowed(takes: &'static str) -> Response<Body> {
    let mut response = told(StatusCode::METHOD_NOT_ALLOWED, &format!("this takes {takes}"));
    set(&mut response, ALLOW, takes);
    response
}

/// The world's thread has ended, which it only does in a panic: its message is in the terminal.
fn over() -> Response<Body> {
    told(StatusCode::INTERNAL_SERVER_ERROR, "the simulated world has ended: see the terminal, and start it again")
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
