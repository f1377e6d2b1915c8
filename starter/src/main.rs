//! The starter's Lambda: wires configuration, AWS and the runtime together.

#![recursion_limit = "256"] // the SDK nests its futures deeply

use std::process::ExitCode;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Aws, Pace};
use shared::config::Config;
use shared::record::{self, Stdout};
use starter::{HttpApp, Moment, Starter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            record::failure(&Stdout, Utc::now(), &*error);
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let config = Config::read(variable)?;
    let aws = Aws::from_environment(Pace::Visitor, variable)?;
    let starter = &Starter::new(config, aws, HttpApp::default(), Stdout);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let moment = moment(event.context.deadline());
        starter.invoke(event, &moment).await
    }))
    .await
}

/// Time for the answer itself to get out before Lambda's own time-out.
const MARGIN: TimeDelta = TimeDelta::seconds(1);

fn moment(deadline: SystemTime) -> Moment {
    let mut random = [0; 16];
    // Without randomness the page's script would be open to guessing, so it gets none that matches.
    let nonce = match rustls::crypto::ring::default_provider().secure_random.fill(&mut random) {
        Ok(()) => random.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => String::new(),
    };
    Moment { now: Utc::now(), answer_by: DateTime::<Utc>::from(deadline) - MARGIN, nonce }
}
