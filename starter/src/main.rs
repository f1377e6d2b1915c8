//! The starter's Lambda: wires configuration, AWS and the runtime together.

#![recursion_limit = "256"] // the SDK nests its futures deeply

use std::process::ExitCode;

use chrono::Utc;
use http::Response;
use lambda_http::{Adapter, Body, Request};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Aws, Pace};
use shared::config::Config;
use shared::record::{self, Stdout};
use starter::{HttpApp, Moment, Starter, Visit, mend};
use tower::Service;

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
    let answer = tower::service_fn(move |request: Request| async move {
        let answer = starter.answer(&Visit::from(&request), &moment()).await;
        Ok::<Response<Body>, Diagnostic>(answer)
    });
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let mut adapter = Adapter::from(answer);
        async move {
            let LambdaEvent { payload, context } = event;
            let request = mend(payload).map_err(|error| {
                record::failure(&Stdout, Utc::now(), &error);
                Diagnostic { error_type: "NotAnHttpRequest".into(), error_message: error.to_string() }
            })?;
            adapter.call(LambdaEvent::new(request, context)).await
        }
    }))
    .await
}

fn moment() -> Moment {
    let mut random = [0; 16];
    // Without randomness the page's script would be open to guessing, so it gets none that matches.
    let nonce = match rustls::crypto::ring::default_provider().secure_random.fill(&mut random) {
        Ok(()) => random.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => String::new(),
    };
    Moment { now: Utc::now(), nonce }
}
