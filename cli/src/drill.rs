//! `catnap drill`: the regular test of the failover, as a visitor would see it. Over the two ports that the functions
//! have and a clock that is given, so a simulated cloud can play it through.

pub mod times;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use serde_json::Value;
use shared::cloud::{App, Cloud, Destination, Limits, Targets, Unforwarded};
use shared::config::Origin;
use shared::model::{HostName, InstanceId, InstanceState};
use shared::trouble::CloudError;

pub use times::{Step, Times};

/// How long between two looks.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);
/// How long one answer may take: API Gateway gives up after 30 s.
const ANSWER_WITHIN: TimeDelta = TimeDelta::seconds(30);
/// What one answer may weigh.
const ANSWER_BYTES: usize = 10_000_000;
/// A desktop's browser. The waiting page's script wakes by itself for those only.
const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";

/// Whose failover is tested.
#[derive(Debug, Clone)]
pub struct Drilled {
    /// The name that is visited.
    pub host: HostName,
    /// The instance.
    pub instance: InstanceId,
    /// Its Elastic IP.
    pub address: IpAddr,
    /// Whether the starter answers for the app until DNS has moved.
    pub bridged: bool,
}

/// Where a drill came to its end before its time.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A step took too long.
    #[error("{} did not happen within {} minutes: {seen}", .step.words(), .step.limit().num_minutes())]
    Late {
        /// The step.
        step: Step,
        /// What was seen instead, last.
        seen: String,
    },
    /// EC2 refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// What a drill goes by: the time, and how to let it pass.
#[derive(Debug, Clone, Copy)]
pub struct Clock<N, S> {
    /// The time now.
    pub now: N,
    /// Waits for so long.
    pub sleep: S,
}

/// Naps the instance if it is awake, visits the name as a browser would, and follows it to the app. `told` hears of
/// each step that is done.
///
/// # Errors
/// When a step does not happen in its time, or EC2 refuses.
pub async fn drill<C: Cloud, A: App, N: Fn() -> DateTime<Utc>, S: AsyncFn(TimeDelta)>(
    cloud: &C,
    web: &A,
    of: &Drilled,
    clock: &Clock<N, S>,
    mut told: impl FnMut(Step, TimeDelta),
) -> Result<Times, Failed> {
    let mut times = Times::at((clock.now)());
    let mut done = |times: &mut Times, step, took: TimeDelta| {
        times.set(step, took);
        told(step, took);
    };
    let stage = Stage { cloud, web, of, clock };

    if stage.state().await? != InstanceState::Stopped {
        cloud.stop(&of.instance).await?;
        let took = stage.until(Step::Nap, async || stage.asleep().await).await?.1;
        done(&mut times, Step::Nap, took);
    }
    let (gateway, took) = stage.until(Step::Page, async || stage.waiting_page().await).await?;
    done(&mut times, Step::Page, took);
    let ((), took) = stage.until(Step::Wake, async || stage.wake(gateway).await).await?;
    done(&mut times, Step::Wake, took);
    let ((), took) = stage.until(Step::Ready, async || stage.ready(gateway).await).await?;
    done(&mut times, Step::Ready, took);
    if of.bridged {
        let ((), took) = stage.until(Step::Bridged, async || stage.bridged(gateway).await).await?;
        done(&mut times, Step::Bridged, took);
    }
    let ((), took) = stage.until(Step::Direct, async || stage.direct().await).await?;
    done(&mut times, Step::Direct, took);
    Ok(times)
}

/// One drill under way.
struct Stage<'a, C, A, N, S> {
    cloud: &'a C,
    web: &'a A,
    of: &'a Drilled,
    clock: &'a Clock<N, S>,
}

/// What a look came to: it is so, or what was seen instead.
type Look<T> = Result<Result<T, String>, CloudError>;

impl<C: Cloud, A: App, N: Fn() -> DateTime<Utc>, S: AsyncFn(TimeDelta)> Stage<'_, C, A, N, S> {
    /// Looks until it is so, and says how long that took.
    async fn until<T>(&self, step: Step, look: impl AsyncFn() -> Look<T>) -> Result<(T, TimeDelta), Failed> {
        let since = (self.clock.now)();
        loop {
            match look().await? {
                Ok(it) => return Ok((it, (self.clock.now)() - since)),
                Err(seen) if (self.clock.now)() - since > step.limit() => return Err(Failed::Late { step, seen }),
                Err(_) => (self.clock.sleep)(LOOK_AGAIN).await,
            }
        }
    }

    async fn state(&self) -> Result<InstanceState, CloudError> {
        let found = self.cloud.instances(&Targets::One(self.of.instance.clone())).await?;
        Ok(found.first().map_or(InstanceState::Terminated, |instance| instance.state))
    }

    async fn asleep(&self) -> Look<()> {
        let state = self.state().await?;
        Ok(if state == InstanceState::Stopped { Ok(()) } else { Err(format!("the instance is {state:?}")) })
    }

    /// Follows DNS to the waiting page, and says at which address that is.
    async fn waiting_page(&self) -> Look<IpAddr> {
        let found = self.web.addresses(&self.of.host).await;
        let Some(gateway) = found.iter().find(|address| **address != self.of.address).copied() else {
            return Ok(Err("DNS still leads to the instance".into()));
        };
        Ok(self.navigate(gateway).await.and_then(|answer| {
            if is_waiting_page(&answer) { Ok(gateway) } else { Err(format!("{gateway} answers {}", answer.status())) }
        }))
    }

    /// What the waiting page's script does when it is looked at.
    async fn wake(&self, gateway: IpAddr) -> Look<()> {
        let request = Request::post("/.catnap/wake").header("x-catnap", "wake").header("sec-fetch-site", "same-origin");
        let answer = self.send(gateway, request.header("accept", "application/json")).await;
        Ok(answer.and_then(|answer| {
            let reason = json_of(&answer)["reason"].as_str().unwrap_or_default().to_owned();
            // A poll of the page says whether it took: this only says whether it was heard.
            if answer.status().as_u16() == 202 {
                Ok(())
            } else {
                Err(format!("the wake call is answered {} {reason}", answer.status()))
            }
        }))
    }

    async fn ready(&self, gateway: IpAddr) -> Look<()> {
        let request = Request::get(format!("/.catnap/status?app={}", self.of.host));
        let answer = self.send(gateway, request.header("accept", "application/json")).await;
        Ok(answer.and_then(|answer| {
            let status = json_of(&answer);
            if status["ready"] == true {
                return Ok(());
            }
            Err(format!("the page says: {}", status["title"].as_str().unwrap_or("nothing")))
        }))
    }

    /// The page's own reload, on the connection that it has: the starter answers for the app.
    async fn bridged(&self, gateway: IpAddr) -> Look<()> {
        Ok(self.navigate(gateway).await.and_then(|answer| is_app(&answer)))
    }

    /// A visitor who comes now, by DNS.
    async fn direct(&self) -> Look<()> {
        let found = self.web.addresses(&self.of.host).await;
        if !found.contains(&self.of.address) {
            return Ok(Err("DNS still leads to the starter".into()));
        }
        Ok(self.navigate(self.of.address).await.and_then(|answer| is_app(&answer)))
    }

    async fn navigate(&self, at: IpAddr) -> Result<Response<Vec<u8>>, String> {
        let request = Request::get("/").header("accept", "text/html").header("sec-fetch-mode", "navigate");
        let request = request.header("sec-fetch-dest", "document").header("sec-fetch-user", "?1");
        self.send(at, request.header("sec-fetch-site", "none")).await
    }

    async fn send(&self, at: IpAddr, request: http::request::Builder) -> Result<Response<Vec<u8>>, String> {
        let origin = Origin { tls: true, port: 443 };
        let to = Destination { host: self.of.host.clone(), address: (at, origin.port).into(), origin };
        let request = request.header("host", self.of.host.as_str()).header("user-agent", BROWSER);
        let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
        let limits = Limits { until: (self.clock.now)() + ANSWER_WITHIN, bytes: ANSWER_BYTES };
        self.web.forward(&to, request, limits).await.map_err(|why| match why {
            Unforwarded::NotReached(seen) => format!("{at}: {seen}"),
            Unforwarded::TimedOut => format!("{at}: no answer in time"),
            Unforwarded::Broken | Unforwarded::TooLarge | Unforwarded::Stream => format!("{at}: the answer breaks off"),
        })
    }
}

fn json_of(answer: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

/// The starter's page, by the address that its script and its button call.
fn is_waiting_page(answer: &Response<Vec<u8>>) -> bool {
    String::from_utf8_lossy(answer.body()).contains("/.catnap/wake")
}

fn is_app(answer: &Response<Vec<u8>>) -> Result<(), String> {
    if is_waiting_page(answer) {
        return Err("it is still the waiting page".into());
    }
    if answer.status().is_server_error() { Err(format!("it answers {}", answer.status())) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
