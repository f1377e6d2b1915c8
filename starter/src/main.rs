//! The starter's Lambda: wires configuration, AWS and the runtime together.

#![recursion_limit = "256"] // the SDK nests its futures deeply

use std::future::ready;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use lambda_http::{Adapter, Body, IntoResponse, Request};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Aws, Pace};
use shared::config::Config;
use shared::record::{self, Stdout};
use starter::{HttpApp, Mended, Moment, Starter, Visit, mend};
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
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let Mended { request, sent } = mend(payload).map_err(|error| {
            record::failure(&Stdout, Utc::now(), &error);
            Diagnostic { error_type: "NotAnHttpRequest".into(), error_message: error.to_string() }
        })?;
        let moment = moment(context.deadline());
        let answer = tower::service_fn(|request: Request| {
            let visit = Visit::new(&request, sent.clone());
            let moment = &moment;
            async move { Ok::<_, Diagnostic>(AsItIs(starter.answer(&visit, moment).await)) }
        });
        Adapter::from(answer).call(LambdaEvent::new(request, context)).await
    }))
    .await
}

/// An answer whose body `lambda_http` must not touch: it would read text by the charset that it claims, and write
/// it anew as UTF-8.
struct AsItIs(Response<Body>);

impl IntoResponse for AsItIs {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
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
