//! Strategy `poll`: wait until DNS has moved and the connection to API Gateway has closed, then navigate.
//!
//! A browser keeps an open HTTP/2 connection however DNS changes, and a poll or a navigation on the app's own
//! origin keeps it open. So the page polls the API's own origin, which is another one, and leaves the app's
//! origin alone for longer and longer before each try. (Measured in Chromium: from a gateway that closes idle
//! connections after 10 or 60 s, a first try after 65 s arrives.)

/// Seconds of silence before the first, second, … navigation. The last one repeats.
pub(crate) const NAVIGATE_AFTER_SECONDS: [u32; 3] = [65, 130, 400];

/// Seconds after which a program may ask again: DNS keeps the old answer for its TTL of 60 s.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 60;
