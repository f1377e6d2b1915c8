//! Answers "ok" to every request and does nothing else.

use lambda_http::{Error, Request, service_fn};

async fn ok(_: Request) -> Result<&'static str, Error> {
    Ok("ok")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::run(service_fn(ok)).await
}
