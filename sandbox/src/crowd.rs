//! Those who come by themselves: people by a pattern of the week, and bots at any time, from a seed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, NaiveTime, TimeDelta};
use http::Method;
use rand::seq::IndexedRandom;
use shared::sim::Browser;
use shared::sim::traffic::{Pattern, random, until_next};
use tokio::time::{sleep, sleep_until};

use crate::visitor::{self, Visitor};
use crate::world::{APP, World};

/// What scanners try, and how those who knock call themselves.
pub(crate) const PATHS: [&str; 7] =
    ["/", "/wp-login.php", "/.env", "/robots.txt", "/favicon.ico", "/.git/config", "/index.html"];
pub(crate) const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "python-requests/2.32.3",
    "curl/8.12.1",
    "Mozilla/5.0 zgrab/0.x",
    "",
];

/// People come by a pattern, for so many days from the Monday of this week on.
pub(crate) async fn people(world: Arc<World>, pattern: Pattern, days: i64, seed: u64) {
    let now = world.core.now();
    let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let monday = today - TimeDelta::days(i64::from(now.weekday().num_days_from_monday()));
    for (number, minute) in pattern.visits(days * 24 * 60, seed).into_iter().enumerate() {
        let at = monday + TimeDelta::minutes(minute);
        if at >= now {
            sleep_until(world.core.instant(at)).await;
            world.spawn(visitor::visit(Arc::clone(&world), Visitor::named(format!("visitor {}", number + 1))));
        }
    }
}

/// Bots knock for ever, so many minutes apart in the mean.
pub(crate) async fn bots(world: Arc<World>, every: TimeDelta, seed: u64) {
    let mut rng = random(seed, "bots");
    loop {
        sleep(Duration::from_secs_f64(until_next(&mut rng, every.as_seconds_f64()))).await;
        let path = PATHS.choose(&mut rng).copied().unwrap_or("/");
        let agent = AGENTS.choose(&mut rng).copied().unwrap_or_default();
        knock(&world, path, agent).await;
    }
}

/// One request of something that is no browser.
pub(crate) async fn knock(world: &World, path: &str, user_agent: &str) {
    let request = visitor::request(Method::GET, APP, path, &[("accept", "*/*"), ("user-agent", user_agent)]);
    let _ = world.send("a bot", &mut Browser::default(), request).await;
}
