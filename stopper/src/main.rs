//! The stopper's Lambda: wires configuration, AWS and the runtime together.

#![recursion_limit = "256"] // the SDK nests its futures deeply

use std::process::ExitCode;
use std::time::SystemTime;

use chrono::Utc;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Aws, Pace};
use shared::config::Config;
use shared::record::{self, Stdout};
use stopper::Stopper;
use tokio::time::Instant;

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
    let aws = Aws::from_environment(Pace::Tick, variable)?;
    let stopper = &Stopper::new(config, aws, Stdout);
    // What EventBridge Scheduler sends says nothing that a tick needs: any event is a tick.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        stopper
            .tick(Utc::now(), Instant::now() + left)
            .await
            .map_err(|error| Diagnostic { error_type: "TickFailed".into(), error_message: error.to_string() })
    }))
    .await
}
