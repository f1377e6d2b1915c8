//! The app in the window: a small one, as a team would have, with some pages to look at.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use shared::cloud::Unforwarded;

const PAGES: [(&str, &str, &str); 4] = [
    ("/", "Today", include_str!("web/app-today.html")),
    ("/reports", "Reports", include_str!("web/app-reports.html")),
    ("/people", "People", include_str!("web/app-people.html")),
    ("/page", "Notes", include_str!("web/app-notes.html")),
];

/// What the app answers.
pub(crate) fn answer(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Unforwarded> {
    let path = request.uri().path();
    let page = PAGES.iter().find(|(at, ..)| *at == path);
    let (title, content) =
        page.map_or(("Not found", "<p>There is no such page here.</p>"), |(_, title, html)| (title, html));
    let links = PAGES.map(|(at, name, _)| {
        let current = if at == path { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{at}\"{current}>{name}</a>")
    });
    let html = include_str!("web/app.html").replace("{title}", title).replace("{links}", &links.concat());
    let mut response = Response::new(html.replace("{content}", content).into_bytes());
    if page.is_none() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
