//! AWS's error codes, in one function.

use std::fmt::Write as _;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use crate::trouble::{CloudError, Trouble};

/// What an API's error code comes down to
/// (EC2 API Reference, "Error codes for the Amazon EC2 API"; Route 53 and CloudWatch: "Common Errors").
fn trouble(code: &str) -> Trouble {
    match code {
        "InvalidInstanceID.NotFound" | "NoSuchHealthCheck" => Trouble::NotFound,
        "InvalidInstanceID.Malformed" | "InvalidInstanceId.Malformed" | "InvalidInput" => Trouble::Malformed,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "AuthFailure"
        | "ExpiredToken"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch" => Trouble::NotPermitted,
        "OperationNotPermitted" => Trouble::StopProtected,
        "IncorrectInstanceState" => Trouble::WrongState,
        "UnsupportedOperation" => Trouble::Unsupported,
        "IncorrectSpotRequestState" => Trouble::Spot,
        "InstanceLimitExceeded" | "VcpuLimitExceeded" => Trouble::Quota,
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "InsufficientCapacityOnHost" => Trouble::Capacity,
        "HealthCheckVersionMismatch" => Trouble::Outdated,
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "PriorRequestNotComplete" => Trouble::Throttled,
        _ => Trouble::Unexpected,
    }
}

/// Translates what a call of the SDK failed with.
pub fn cloud_error<E>(operation: &'static str, error: &SdkError<E>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.as_service_error() {
        Some(service) => {
            let code = service.code().unwrap_or_default();
            // Something in between may have answered without the API's own code and words.
            let status = || error.raw_response().map_or(0, |response: &HttpResponse| response.status().as_u16());
            let message = service.message().map_or_else(|| format!("HTTP status {}", status()), Into::into);
            CloudError { trouble: trouble(code), operation, code: code.into(), message }
        }
        None => {
            let trouble = match error {
                SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => Trouble::Unreachable,
                _ => Trouble::Unexpected,
            };
            CloudError::without_answer(trouble, operation, with_causes(error))
        }
    }
}

/// The error and what caused it: the SDK's own text is only "dispatch failure".
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// An answer that lacks what it must have, and about what.
pub(super) fn incomplete(operation: &'static str, lacks: &str, about: &str) -> CloudError {
    CloudError::without_answer(Trouble::Unexpected, operation, format!("the answer about {about:?} lacks {lacks}"))
}
