//! What the port promises, as one set of tests over whatever fills it: the simulated cloud, and the SDK's adapters
//! against moto's server (`wire/test_contract.py` starts that, and makes the same few things there).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use shared::cloud::{Cloud, Metric, Page, Targets};
use shared::model::{CheckKind, HealthCheckConfig, HealthCheckId, HostName, InstanceId, InstanceState, Series};
use shared::steer::{Lead, Stance};
use shared::trouble::Trouble;

/// What there is in the cloud that is looked at.
struct Stand {
    /// Stopped, carries `sleeper.example.com`.
    sleeper: InstanceId,
    /// Running since five hours ago, carries `runner.example.com`.
    runner: InstanceId,
    /// Terminated, carries `gone.example.com`.
    gone: InstanceId,
    /// Looks at the runner: HTTP, each 30 s, from three regions.
    check: HealthCheckId,
    /// A whole five minutes that have passed. NetworkIn of the runner ends there: 1,000 to 5,000 bytes in five
    /// datapoints; three minutes before it was healthy, two minutes before not; seven minutes before, two visits.
    whole: DateTime<Utc>,
    /// Of how many pages the list of those with a tag is at least, and the one of health checks. The adapters' pages
    /// hold more than there is here; `aws_fleet.rs` goes through many of them.
    pages: usize,
}

fn host(name: &str) -> HostName {
    format!("{name}.example.com").parse().unwrap()
}

/// Everything. `pass` lets some seconds pass: enough for a start or a stop to end.
async fn holds(cloud: &impl Cloud, stand: &Stand, pass: impl AsyncFn()) {
    finding(cloud, stand).await;
    health_checks(cloud, stand).await;
    steering(cloud, stand).await;
    metrics(cloud, stand).await;
    tags(cloud, stand).await;
    starting_and_stopping(cloud, stand, pass).await;
    what_cannot_be(cloud, stand).await;
}

/// All pages of a list, each with what is on it.
async fn pages<T, E: std::fmt::Debug>(page: impl AsyncFn(Option<String>) -> Result<Page<T>, E>) -> Vec<Vec<T>> {
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let Page { items, next: further } = page(next).await.unwrap();
        assert!(pages.len() < 10, "it comes to an end");
        pages.push(items);
        next = further;
        if next.is_none() {
            return pages;
        }
    }
}

async fn ids(cloud: &impl Cloud, targets: Targets) -> Vec<InstanceId> {
    let mut found: Vec<_> = cloud.instances(&targets).await.unwrap().into_iter().map(|it| it.id).collect();
    found.sort();
    found
}

async fn finding(cloud: &impl Cloud, stand: &Stand) {
    let runner = &cloud.instances(&Targets::One(stand.runner.clone())).await.unwrap()[..];
    let [runner] = runner else { panic!("{runner:?}") };
    assert_eq!((&runner.id, runner.state), (&stand.runner, InstanceState::Running));
    assert_eq!(runner.tags.get("catnap:host").map(String::as_str), Some("runner.example.com"));
    assert!(
        runner.public_address.is_some() && !runner.spot && !runner.instance_store_root && !runner.detailed_monitoring
    );
    let age = stand.whole - runner.launched_at;
    assert!((TimeDelta::hours(4)..TimeDelta::hours(6)).contains(&age), "{age}");
    // Gone ones are not among the targets of a tick; by their name they are told from a name that nobody carries.
    let mut both = vec![stand.sleeper.clone(), stand.runner.clone()];
    both.sort();
    assert_eq!(ids(cloud, Targets::Tagged).await, both);
    let tagged = pages(async |page| cloud.instances_page(&Targets::Tagged, page.as_deref()).await).await;
    assert!(tagged.len() >= stand.pages, "{tagged:?}");
    let mut paged: Vec<_> = tagged.into_iter().flatten().map(|instance| instance.unwrap().id).collect();
    paged.sort();
    assert_eq!(paged, both, "each on one page");
    assert_eq!(ids(cloud, Targets::Host(host("sleeper"))).await, std::slice::from_ref(&stand.sleeper));
    assert_eq!(ids(cloud, Targets::Host(host("gone"))).await, std::slice::from_ref(&stand.gone));
    assert_eq!(ids(cloud, Targets::Host(host("nobody"))).await, []);
    let gone = &cloud.instances(&Targets::One(stand.gone.clone())).await.unwrap()[0];
    assert_eq!(gone.state, InstanceState::Terminated);
}

async fn health_checks(cloud: &impl Cloud, stand: &Stand) {
    let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
    assert_eq!(cloud.health_check(&stand.check).await.unwrap(), config);
    let listed = pages(async |page| cloud.health_checks_page(page.as_deref()).await).await;
    assert!(listed.len() >= stand.pages, "{listed:?}");
    let found = listed.iter().flatten().filter(|listed| **listed == (stand.check.clone(), config));
    assert_eq!(found.count(), 1, "{listed:?}");
}

async fn steering(cloud: &impl Cloud, stand: &Stand) {
    let seen = cloud.steering(&stand.check).await.unwrap();
    assert_eq!(seen.stance(), Stance::Checked);
    let version = cloud.lead(&stand.check, seen.version, Lead::Away).await.unwrap();
    assert_eq!(version, seen.version + 1);
    let config = cloud.health_check(&stand.check).await.unwrap();
    assert_eq!((config.disabled, config.inverted), (true, true));
    let error = cloud.lead(&stand.check, seen.version, Lead::Checked).await.unwrap_err();
    assert_eq!((error.trouble, error.operation), (Trouble::Outdated, "UpdateHealthCheck"));
    let seen = cloud.steering(&stand.check).await.unwrap();
    assert_eq!(seen.version, version);
    assert_eq!(seen.stance(), Stance::ByHand, "without a mark it is not Catnap's");
    // The mark first, of the version that comes; it is told as it was written, and beside what it replaces.
    let since = stand.whole;
    let away = seen.marks_for(Lead::Away, since, version + 1).unwrap();
    cloud.mark(&stand.check, &away).await.unwrap();
    assert_eq!(cloud.lead(&stand.check, version, Lead::Away).await.unwrap(), version + 1);
    let seen = cloud.steering(&stand.check).await.unwrap();
    assert_eq!((seen.stance(), &seen.marks), (Stance::Away { since }, &away));
    let home = seen.marks_for(Lead::Home, since, version + 2).unwrap();
    assert_eq!(home.0.len(), 2, "the one that holds is kept until the next does");
    cloud.mark(&stand.check, &home).await.unwrap();
    let seen = cloud.steering(&stand.check).await.unwrap();
    assert_eq!(seen.stance(), Stance::Away { since }, "what is only announced is not so yet");
    assert_eq!(seen.marks.0.len(), 3, "both tags, of which none is written over by the other: {:?}", seen.marks);
    cloud.lead(&stand.check, version + 1, Lead::Home).await.unwrap();
    assert_eq!(cloud.steering(&stand.check).await.unwrap().stance(), Stance::Home { since });
    cloud.lead(&stand.check, version + 2, Lead::Checked).await.unwrap();
    assert!(cloud.health_check(&stand.check).await.unwrap().goes_by_checkers());
    let seen = cloud.steering(&stand.check).await.unwrap();
    assert_eq!((seen.stance(), seen.marks.0.len()), (Stance::Checked, 0), "marks of the past are not read");
}

fn values(series: Option<&Option<Series>>, before: DateTime<Utc>) -> Vec<(i64, f64)> {
    let series = series.and_then(Option::as_ref).expect("it can be read");
    series.points.iter().map(|point| ((point.at - before).num_minutes(), point.value)).collect()
}

async fn metrics(cloud: &impl Cloud, stand: &Stand) {
    let whole = stand.whole;
    let network_in = |instance: &InstanceId| {
        let (instance, period) = (instance.clone(), TimeDelta::minutes(5));
        Metric::NetworkIn { instance, period }
    };
    let asked = [
        Metric::HealthStatus(stand.check.clone()),
        network_in(&stand.runner),
        Metric::Busy(host("runner")),
        Metric::Visits(host("runner")),
        network_in(&stand.sleeper),
    ];
    let read = cloud.metrics(&asked, whole - TimeDelta::minutes(60), whole).await.unwrap();
    assert_eq!(read.len(), 5);
    assert_eq!(values(read.first(), whole), [(-3, 1.0), (-2, 0.0)]);
    let five = [(-25, 1_000.0), (-20, 2_000.0), (-15, 3_000.0), (-10, 4_000.0), (-5, 5_000.0)];
    assert_eq!(values(read.get(1), whole), five, "oldest first");
    assert_eq!(values(read.get(2), whole), [], "without datapoints is another thing than unreadable");
    assert_eq!(values(read.get(3), whole), [(-7, 2.0)]);
    assert_eq!(values(read.get(4), whole), []);
    // The beginning counts, the end does not.
    let [from, until] = [20, 10].map(|minutes| whole - TimeDelta::minutes(minutes));
    let read = cloud.metrics(&asked[1..2], from, until).await.unwrap();
    assert_eq!(values(read.first(), whole), five[1..3]);
}

async fn tags(cloud: &impl Cloud, stand: &Stand) {
    let seconds = "84 91".parse().unwrap();
    cloud.tag_wake_seconds(&stand.sleeper, &seconds).await.unwrap();
    let sleeper = &cloud.instances(&Targets::One(stand.sleeper.clone())).await.unwrap()[0];
    assert_eq!(sleeper.tags.get("catnap:wake-seconds").map(String::as_str), Some("84 91"));
    assert_eq!(sleeper.tags.get("catnap:host").map(String::as_str), Some("sleeper.example.com"));
}

async fn starting_and_stopping(cloud: &impl Cloud, stand: &Stand, pass: impl AsyncFn()) {
    let sleeper = Targets::One(stand.sleeper.clone());
    let look = async || cloud.instances(&sleeper).await.unwrap().remove(0);
    let before = look().await;
    assert_eq!(before.state, InstanceState::Stopped);
    cloud.stop(&stand.sleeper).await.expect("a stop of what is stopped does nothing");
    cloud.start(&stand.sleeper).await.unwrap();
    assert_eq!(look().await.state, InstanceState::Pending);
    cloud.start(&stand.sleeper).await.expect("a start of what is being started does nothing");
    pass().await;
    let running = look().await;
    assert_eq!(running.state, InstanceState::Running);
    assert!(running.launched_at > before.launched_at, "LaunchTime is the last start");
    let reason = running.state_reason.filter(|code| !code.is_empty()); // moto has an empty one
    assert_eq!((reason, running.stopped_at), (None, None));
    cloud.start(&stand.sleeper).await.expect("a start of what runs does nothing");
    cloud.stop(&stand.sleeper).await.unwrap();
    let stopping = look().await;
    assert_eq!(stopping.state, InstanceState::Stopping);
    assert_eq!(stopping.state_reason.as_deref(), Some("Client.UserInitiatedShutdown"));
    assert_eq!(cloud.start(&stand.sleeper).await.unwrap_err().trouble, Trouble::WrongState);
    pass().await;
    let stopped = look().await;
    assert_eq!(stopped.state, InstanceState::Stopped);
    assert_eq!(stopped.public_address, before.public_address, "an Elastic IP stays");
    assert!(stopped.stopped_at.is_some_and(|at| at > before.launched_at), "{:?}", stopped.stopped_at);
}

async fn what_cannot_be(cloud: &impl Cloud, stand: &Stand) {
    let nobody: InstanceId = "i-0ffffffffffffffff".parse().unwrap();
    let error = cloud.instances(&Targets::One(nobody.clone())).await.unwrap_err();
    assert_eq!((error.trouble, error.operation), (Trouble::NotFound, "DescribeInstances"));
    let error = cloud.start(&nobody).await.unwrap_err();
    assert_eq!((error.trouble, error.operation), (Trouble::NotFound, "StartInstances"));
    let error = cloud.stop(&nobody).await.unwrap_err();
    assert_eq!((error.trouble, error.operation), (Trouble::NotFound, "StopInstances"));
    let error = cloud.start(&stand.gone).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::WrongState, "a terminated one cannot be started");
    let no_check: HealthCheckId = "00000000-0000-0000-0000-000000000000".parse().unwrap();
    assert_eq!(cloud.health_check(&no_check).await.unwrap_err().trouble, Trouble::NotFound);
}

#[cfg(feature = "sim")]
#[tokio::test]
async fn the_simulated_cloud() {
    use shared::model::Point;
    use shared::sim::{Phases, Sim};

    let whole: DateTime<Utc> = "2026-03-01T20:00:00Z".parse().unwrap();
    let sim = Sim::new(whole + TimeDelta::seconds(40));
    let [sleeper, runner, gone] =
        ["sleeper", "runner", "gone"].map(|name| sim.add_instance(&host(name), Phases::default()));
    sim.change(&runner, |it| {
        (it.state, it.launched_at) = (InstanceState::Running, whole - TimeDelta::hours(5));
        (it.state_reason, it.stopped_at) = (None, None);
    });
    sim.change(&gone, |it| it.state = InstanceState::Terminated);
    let check: HealthCheckId = "the-check".parse().unwrap();
    let config = HealthCheckConfig::new(CheckKind::Http, 30, 3);
    sim.add_health_check(&check, config);
    sim.add_health_check(&"another-check".parse().unwrap(), HealthCheckConfig::new(CheckKind::Tcp, 10, 8));
    sim.set_page_size(1);
    let put = |metric: &Metric, minutes: i64, value: f64| {
        sim.put(metric.clone(), Point { at: whole - TimeDelta::minutes(minutes), value });
    };
    let network_in = Metric::NetworkIn { instance: runner.clone(), period: TimeDelta::minutes(5) };
    // Not in their order: what comes late is in its place all the same.
    for number in [3, 1, 2, 5, 4] {
        put(&network_in, (6 - number) * 5, f64::from(i32::try_from(number).unwrap()) * 1_000.0);
    }
    put(&Metric::HealthStatus(check.clone()), 3, 1.0);
    put(&Metric::HealthStatus(check.clone()), 2, 0.0);
    put(&Metric::Visits(host("runner")), 7, 2.0);
    let stand = Stand { sleeper, runner, gone, check, whole, pages: 2 };
    holds(&&sim, &stand, async || sim.advance(TimeDelta::minutes(1))).await;
}

#[cfg(feature = "aws")]
#[tokio::test]
#[ignore = "needs moto's server: wire/test_contract.py runs it"]
async fn the_adapters() {
    use shared::aws::{Aws, Pace};

    let variable = |name: &str| std::env::var(name).ok();
    let of = |name: &str| variable(name).unwrap_or_else(|| panic!("{name} is not set"));
    let stand = Stand {
        sleeper: of("CONTRACT_SLEEPER").parse().unwrap(),
        runner: of("CONTRACT_RUNNER").parse().unwrap(),
        gone: of("CONTRACT_GONE").parse().unwrap(),
        check: of("CONTRACT_CHECK").parse().unwrap(),
        whole: of("CONTRACT_WHOLE").parse().unwrap(),
        pages: 1,
    };
    let aws = Aws::from_environment(Pace::Tick, variable).unwrap();
    holds(&aws, &stand, async || tokio::time::sleep(std::time::Duration::from_secs(3)).await).await;
}
