//! What a cloud refuses, and why: every error has a planned answer, so each planned answer is a variant.

use std::fmt;

use serde::Serialize;

/// Why a call to the cloud did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// There is no such instance or health check.
    NotFound,
    /// The id cannot be one.
    Malformed,
    /// The role may not do this.
    NotPermitted,
    /// The instance has stop protection.
    StopProtected,
    /// The instance is in another state than the call needs.
    WrongState,
    /// Its root device is an instance store, or the instance is of a kind that cannot be stopped.
    Unsupported,
    /// A spot request's instance cannot be stopped in its state.
    Spot,
    /// The account's quota of instances or vCPUs is used up.
    Quota,
    /// AWS has no room for this instance type in its Availability Zone now.
    Capacity,
    /// Somebody else has changed it since it was read.
    Outdated,
    /// Too many calls for the account's bucket.
    Throttled,
    /// No answer in time, or no connection.
    Unreachable,
    /// AWS failed, or answered with something that is not planned for.
    Unexpected,
}

/// A call that failed, with all that a log should tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct CloudError {
    /// What it comes down to.
    pub trouble: Trouble,
    /// The API operation, e.g. `StartInstances`.
    pub operation: &'static str,
    /// The API's own error code; empty when there was no answer.
    pub code: String,
    /// The API's own words. For logs: they may name accounts, roles and keys.
    pub message: String,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, code, message, .. } = self;
        if code.is_empty() { write!(f, "{operation}: {message}") } else { write!(f, "{operation}: {code}: {message}") }
    }
}

impl CloudError {
    /// A call that AWS did not answer as it should, or that was not made.
    #[must_use]
    pub fn without_answer(trouble: Trouble, operation: &'static str, message: String) -> Self {
        Self { trouble, operation, code: String::new(), message }
    }

    /// Whether a health check was to be steered.
    #[must_use]
    pub fn is_of_steering(&self) -> bool {
        matches!(self.operation, "UpdateHealthCheck" | "ChangeTagsForResource" | "ListTagsForResource")
    }
}
