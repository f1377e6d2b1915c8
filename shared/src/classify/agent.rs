//! What a user agent tells of who asks.
//!
//! It is read by its form first, since no list of names is complete: a person's browser calls itself
//! `Mozilla/5.0 (platform) engine …`, a program says its own name, or `compatible; name` and where to read about it.
//! The lists are for those that take the other's form.

/// Programs that take a browser's form and add their name to it; in lower case, found anywhere.
///
/// Only names that no phone, app or browser has: `preview`, `monitor`, `scan`, `feed`, `search`, `yandex`, `baidu`,
/// `pinterest` and `whatsapp` are in the user agents of people. What has `bot` in its name, leaves an address or says
/// `compatible;` needs no entry.
#[rustfmt::skip]
const PROGRAMS: &[&str] = &[
    // crawlers and what fetches for others
    "crawl", "spider", "slurp", "scrape", "archiver", "nutch", "facebookexternalhit", "facebookcatalog",
    "meta-external", "google-", "-google", "googleother", "google favicon", "google web preview", "google page speed",
    "google search console", "googleimageproxy", "flipboardproxy", "feedfetcher", "outbrain",
    // link previews
    "bingpreview", "uripreview", "urlpreview", "url preview", "linkpreview", "link preview",
    // browsers that nobody sits in front of
    "headless", "phantomjs", "slimerjs", "puppeteer", "playwright", "selenium", "webdriver", "cypress/", "jsdom",
    "wkhtmlto", "htmlunit", "lighthouse", "prerender", "ptst/", "gtmetrix", "dareboost", "screenshot",
    // monitors and checks
    "pingdom", "statuscake", "site24x7", "datadog", "newrelic", "uptime", "catchpoint", "ruxitsynthetic", "checkly",
    "thousandeyes", "cloudwatchsynthetics", "dotcom-monitor", "sitemonitor", "integrity monitor", "gomezagent",
    "siteimprove", "linkcheck", "silktide",
    // scanners
    "nmap", "nikto", "nuclei", "openvas", "sqlmap", "wpscan", "zgrab", "masscan", "acunetix", "netsparker", "qualys",
    "ips-agent", "expanse", "censys",
    // libraries
    "powershell",
];

/// Browsers that people use, and that have another form.
#[rustfmt::skip]
const OTHER_BROWSERS: &[&str] = &[
    // in a terminal, or without script
    "lynx/", "links (", "elinks", "w3m/", "edbrowse/", "dillo/", "netsurf/", "url/emacs", "ibrowse",
    // phones with keys, e-book readers, television sets
    "browser", "profile/midp", "openwave", "ucweb", "netfront", "obigo", "polaris", "teleca", "docomo/", "blackberry",
    "opera mini", "hbbtv",
];

/// Browsers that say `compatible;` themselves, or nothing after their platform.
const OLD_BROWSERS: &[&str] = &["msie", "trident", "konqueror", "icab", "omniweb", "playstation", "nintendo"];

/// Whether this is a program that says so. An empty user agent is one too.
///
/// `is_engine` says that the request has the headers that a browser's engine adds by itself. Then the form proves
/// nothing: a visitor may call the browser anything, or take the header away.
pub(super) fn is_program(user_agent: &str, is_engine: bool) -> bool {
    let agent = user_agent.to_ascii_lowercase();
    PROGRAMS.iter().any(|name| agent.contains(name))
        || says_bot(&agent)
        || leaves_address(&agent)
        || !(is_engine || has_form_of_browser(&agent))
}

/// `Googlebot/2.1`, `Slackbot-LinkExpanding`, `robots`, but not the phones `CUBOT_X19` and `IDbot553`.
fn says_bot(agent: &str) -> bool {
    agent.match_indices("bot").any(|(at, bot)| {
        let rest = &agent[at + bot.len()..];
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        !agent[..at].ends_with("cu") && !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
    })
}

/// Crawlers say where a site's owner can read about them. Phones have at most an `@` in the name of their system.
fn leaves_address(agent: &str) -> bool {
    let is_mail = |(at, _)| {
        let domain = agent[at + 1..].split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.').next();
        let (name, rest) = domain.and_then(|domain| domain.split_once('.')).unwrap_or_default();
        [name, rest].iter().all(|part| part.starts_with(|first: char| first.is_ascii_alphabetic()))
    };
    ["http:/", "https:/", "+http"].iter().any(|mark| agent.contains(mark)) || agent.match_indices('@').any(is_mail)
}

fn has_form_of_browser(agent: &str) -> bool {
    let one_of = |names: &[&str]| names.iter().any(|name| agent.contains(name));
    let begins_like_one = agent.starts_with("mozilla/") || agent.starts_with("opera/");
    let ends_with_platform = agent.starts_with("mozilla/5.0") && agent.find(')') == Some(agent.len() - 1);
    let says_name = |(_, after): (&str, &str)| !after.trim_start().is_empty() && !after.trim_start().starts_with(')');
    let says_compatible = agent.split_once("compatible;").is_some_and(says_name);
    one_of(OTHER_BROWSERS)
        || (begins_like_one
            && agent.contains('(')
            && (one_of(OLD_BROWSERS) || !(says_compatible || ends_with_platform)))
}

/// Whether this browser in a terminal says `Accept: */*` for pages too, as programs do.
pub(super) fn accepts_anything(user_agent: &str) -> bool {
    user_agent.starts_with("Links (") || user_agent.starts_with("ELinks")
}

/// Whether the brands of a Chromium (`Sec-CH-UA`) say that nobody looks at it, whatever its user agent says.
pub(super) fn is_headless(brands: &str) -> bool {
    brands.contains("Headless")
}

/// Whether this is exactly what Chrome, Edge or Firefox call themselves since they send `Sec-Fetch-*` with every
/// request over HTTPS: Chrome and Edge from 80 on, Firefox from 90 on (MDN, browser compatibility of "Sec-Fetch-Dest").
///
/// Browsers built on them are left out: some say Chrome 100 and are older. So is Safari, which began within version 16.
pub(super) fn has_fetch_metadata(user_agent: &str) -> bool {
    let version = |text: &str| text.split(['.', ' ']).next().and_then(|number| number.parse().ok()).unwrap_or(0);
    if let Some((_, chrome)) = user_agent.split_once("(KHTML, like Gecko) Chrome/") {
        let is_plain = |word: &str| word == "Mobile" || word == "Safari/537.36" || word.starts_with("Edg");
        version(chrome) >= 80 && chrome.split(' ').skip(1).all(is_plain)
    } else if let Some((before, firefox)) = user_agent.rsplit_once(" Firefox/") {
        let engine = before.rsplit(' ').next().unwrap_or_default();
        version(firefox) >= 90 && !firefox.contains(' ') && engine.starts_with("Gecko/")
    } else {
        false
    }
}
