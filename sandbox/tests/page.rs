//! The web page's server, over real sockets: its files, its commands, its stream, and the window's network.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sandbox::page::{Page, PageError};
use serde_json::Value;

const PERSON: &str = "accept: text/html\r\naccept-language: en\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: iframe\r\n\
                      sec-fetch-site: same-site\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0\r\n";

/// A page that is served as long as the test runs.
fn served() -> SocketAddr {
    let page = Page::open([127, 0, 0, 1].into(), 0).unwrap();
    let address = page.address();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(page.serve()).unwrap();
    });
    address
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }

    fn error(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["error"].as_str().unwrap_or_default().to_owned()
    }
}

fn send(to: SocketAddr, request: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let host = if headers.contains("host: ") { String::new() } else { format!("host: {to}\r\n") };
    let length = body.len();
    write!(stream, "{request} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn act(to: SocketAddr, command: &str) -> Answer {
    send(to, "POST /do", "content-type: application/json\r\n", command)
}

/// The stream's messages, each an event of its own.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nhost: {to}\r\naccept: text/event-stream\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            head += &line.to_ascii_lowercase();
        }
        assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
        Self(reader)
    }

    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "it has ended");
            // Between them are the marks of chunks and the empty lines that end an event.
            if let Some(json) = line.strip_prefix("data: ") {
                return serde_json::from_str(json).unwrap();
            }
        }
    }

    /// The first message of which this holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let frame = self.next();
            if holds(&frame) {
                return frame;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "never {what}: {frame}");
        }
    }
}

fn has_line(frame: &Value, text: &str) -> bool {
    frame["lines"]
        .as_array()
        .is_some_and(|lines| lines.iter().any(|line| line["text"].as_str().unwrap().contains(text)))
}

#[test]
fn the_page_is_strict_about_what_it_loads_and_who_may_open_it() {
    let at = served();
    let page = send(at, "GET /", "", "");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let window = at.port().wrapping_add(1);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-src *:"), "{policy} {window}");
    for file in ["/page.css", "/page.js", "/show.js", "/chart.js", "/icon.svg"] {
        let answer = send(at, &format!("GET {file}"), "", "");
        assert_eq!((answer.status, answer.header("x-content-type-options")), (200, "nosniff"), "{file}");
        assert!(page.body.contains(file) || file == "/show.js" || file == "/chart.js", "{file} is used");
    }
    assert_eq!(send(at, "GET /nothing", "", "").error(), "there is no /nothing here");
    let named = send(at, "GET /", "host: evil.example\r\n", "");
    assert_eq!((named.status, named.body.contains("<html")), (421, false), "another name may lead here");
    assert_eq!(send(at, "GET /", "host: localhost:1\r\n", "").status, 200);
}

#[test]
fn what_cannot_be_done_is_refused_with_what_can() {
    let at = served();
    for (command, told) in [
        (r#"{"do":"speed","factor":7}"#, "7 is no speed: it takes 0 (which stops time), 1, 60, 600 or 3600"),
        (r#"{"do":"fault","name":"meteor","on":true}"#, "meteor is no fault"),
        (
            r#"{"do":"set","parameter":"IdleMinutes","value":"soon"}"#,
            "IdleMinutes is \"soon\": it takes minutes, a whole number",
        ),
        (r#"{"do":"set","parameter":"LogoUrl","value":"x"}"#, "LogoUrl is no setting that can be changed here"),
        (r#"{"do":"act","act":"stop"}"#, "EC2 does not do that"),
        (r#"{"do":"skip","minutes":99999}"#, "99999 min cannot be skipped"),
        (r#"{"do":"#, "this is no command: EOF"),
    ] {
        // EC2 takes a stop of what is stopped: it has to be on its way.
        if command.contains("\"stop\"") {
            act(at, r#"{"do":"speed","factor":0}"#);
            assert_eq!(act(at, r#"{"do":"act","act":"start"}"#).status, 200);
        }
        let answer = act(at, command);
        assert_eq!(answer.status, 400, "{command}");
        assert!(answer.error().starts_with(told), "{command}: {}", answer.error());
    }
    let set = |parameter: &str, value: &str| {
        act(at, &format!(r#"{{"do":"set","parameter":"{parameter}","value":"{value}"}}"#))
    };
    let schedule = |minutes: u32| act(at, &format!(r#"{{"do":"schedule","minutes":{minutes}}}"#));
    let (needs_bridge, needs_looks) = ("Steer needs Handoff bridge", "Steer takes two looks for a nap");
    assert_eq!(schedule(60).status, 200);
    assert!(set("Steer", "true").error().starts_with(needs_looks));
    assert_eq!((schedule(10).status, set("Steer", "true").status), (200, 200));
    assert!(schedule(11).error().starts_with(needs_looks));
    assert!(set("Handoff", "poll").error().starts_with(needs_bridge));
    assert_eq!((set("Steer", "false").status, set("Handoff", "poll").status), (200, 200));
    assert!(set("Steer", "true").error().starts_with(needs_bridge));
    let form = send(at, "POST /do", "content-type: text/plain\r\n", r#"{"do":"visit"}"#);
    assert_eq!(
        (form.status, form.error().as_str()),
        (415, "a command is application/json"),
        "another site can send it"
    );
    let get = send(at, "GET /do", "", "");
    assert_eq!((get.status, get.header("allow")), (405, "post"));
    let long = act(at, &" ".repeat((1 << 20) + 1));
    assert_eq!((long.status, long.error().as_str()), (413, "this is too long for a command"));
}

#[test]
fn the_stream_begins_with_all_there_is_and_goes_on_with_what_is_new() {
    let at = served();
    act(at, r#"{"do":"speed","factor":0}"#);
    let mut stream = Stream::open(at);
    let whole = stream.next();
    assert_eq!((&whole["is_whole"], &whole["state"], &whole["speed"]), (&true.into(), &"stopped".into(), &0.into()));
    assert_eq!(whole["phases"][0]["state"], "stopped");
    act(at, r#"{"do":"visit"}"#);
    let came = stream.until("a visitor", |frame| has_line(frame, "opens the app"));
    assert_eq!((&came["is_whole"], &came["waiting"]), (&false.into(), &1.into()), "though time stands");
    act(at, r#"{"do":"skip","minutes":60}"#);
    let woken = stream.until("awake", |frame| frame["state"] == "running");
    assert!(woken["points"].as_array().unwrap().len() >= 10, "no datapoint is missed: {woken}");
    assert!(woken["phases"].as_array().unwrap().iter().any(|phase| phase["state"] == "pending"));
    act(at, r#"{"do":"skip","minutes":60}"#);
    let napped = stream.until("asleep", |frame| frame["state"] == "stopped");
    assert!(has_line(&napped, "Nobody was there since"), "{napped}");
    let later = Stream::open(at).next();
    assert!(
        has_line(&later, "opens the app") && has_line(&later, "Nobody was there since"),
        "who comes later has it all"
    );
    act(at, r#"{"do":"restart"}"#);
    let anew = stream.until("a new world", |frame| frame["is_whole"] == true);
    assert_eq!((&anew["now"], anew["lines"].as_array().unwrap().len()), (&anew["began"], 0));
}

#[test]
fn datapoints_that_come_late_together_are_all_in_the_chart() {
    let at = served();
    act(at, r#"{"do":"speed","factor":0}"#);
    let late = |on: bool| act(at, &format!(r#"{{"do":"fault","name":"metrics-late","on":{on}}}"#));
    assert_eq!((act(at, r#"{"do":"act","act":"start"}"#).status, late(true).status), (200, 200));
    act(at, r#"{"do":"skip","minutes":40}"#);
    let mut stream = Stream::open(at);
    assert_eq!(stream.next()["points"].as_array().unwrap().len(), 4, "18 minutes late");
    late(false);
    let seen = stream.until("the others", |frame| frame["points"].as_array().is_some_and(|points| !points.is_empty()));
    assert_eq!(seen["points"].as_array().unwrap().len(), 3);
    assert_eq!(Stream::open(at).next()["points"].as_array().unwrap().len(), 7);
}

#[test]
fn the_window_s_requests_go_through_the_world() {
    let at = served();
    act(at, r#"{"do":"speed","factor":0}"#);
    let mut stream = Stream::open(at);
    let window = SocketAddr::new(at.ip(), stream.next()["window_port"].as_u64().unwrap().try_into().unwrap());
    let page = send(window, "GET /reports?team=ops", PERSON, "");
    assert_eq!(page.status, 503, "the true waiting page");
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with(&format!("frame-ancestors *:{}", at.port())), "{policy}");
    assert!(!page.body.contains("window.top"), "it asks inside of the frame");
    assert!(
        page.body
            .contains("\"/@abc123def4.execute-api.eu-central-1.amazonaws.com/.catnap/status?app=app.example.com\"")
    );
    let sent = stream.until("sent", |frame| frame["sent"]["is_page"] == true);
    assert_eq!((&sent["sent"]["to"], &sent["sent"]["way"]), (&"gateway".into(), &"route53".into()), "{sent}");
    let status = "GET /@abc123def4.execute-api.eu-central-1.amazonaws.com/.catnap/status?app=app.example.com";
    let script = "accept: */*\r\nsec-fetch-mode: cors\r\nsec-fetch-dest: empty\r\nsec-fetch-site: same-origin\r\n";
    let asleep: Value = serde_json::from_str(&send(window, status, script, "").body).unwrap();
    assert_eq!(asleep["phase"], "asleep");
    let wake =
        send(window, "POST /.catnap/wake", &format!("{script}x-catnap: wake\r\norigin: http://{window}\r\n"), "");
    assert_eq!(wake.status, 202, "{}", wake.body);
    act(at, r#"{"do":"skip","minutes":1}"#);
    let app = send(window, "GET /reports", PERSON, "");
    assert_eq!(app.status, 200);
    assert!(app.body.contains("<h1>Reports</h1>"), "{}", app.body);
    // DNS turns, the browser's own memory and connection run out.
    act(at, r#"{"do":"skip","minutes":5}"#);
    send(window, "GET /people", PERSON, "");
    let direct = stream.until("direct", |frame| frame["sent"]["path"] == "/people");
    assert_eq!((&direct["sent"]["to"], &direct["sent"]["got"]), (&"instance".into(), &"app".into()));
    act(at, r#"{"do":"fault","name":"app-down","on":true}"#);
    let refused = send(window, "GET /people", PERSON, "");
    assert_eq!(refused.status, 502);
    assert!(refused.body.contains("The server refused the connection."), "as a browser shows it: {}", refused.body);
}

#[test]
fn a_port_that_is_taken_is_said_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Page::open([127, 0, 0, 1].into(), taken.local_addr().unwrap().port()).unwrap_err();
    assert!(matches!(error, PageError::InUse(_)));
    let told = error.to_string();
    assert!(told.contains("is in use by another program") && told.contains("--port 0"), "{told}");
}
