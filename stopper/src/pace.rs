//! How fast and until when: AWS's buckets, and the time that Lambda gives a tick.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// No stop is begun this long before the end: one may take 40 s with its retries, and then the tick has to tell.
const MARGIN: Duration = Duration::from_secs(50);

/// What a tick does until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// No call that reads is begun after this: half of the time is for the stops.
    pub(crate) read_until: Instant,
    /// No stop is begun after this.
    pub(crate) stop_until: Instant,
}

impl Budget {
    /// For a tick that begins now and is cut off at `deadline`.
    pub(crate) fn until(deadline: Instant) -> Self {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        Self { read_until: now + left / 2, stop_until: now + left - MARGIN.min(left / 4) }
    }
}

/// A bucket of tokens, as AWS meters its APIs: it holds so many, and is refilled by so many a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    /// How long it takes to fill.
    fills_in: Duration,
    /// When it will be full, with all that was taken; none while nothing was.
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    pub(crate) fn new(holds: f64, per_second: f64) -> Self {
        Self { per_second, fills_in: Duration::from_secs_f64(holds / per_second), full_at: Mutex::new(None) }
    }

    /// Waits for so many tokens. False, at once and without taking any, when they would come after `until`.
    pub(crate) async fn take(&self, tokens: f64, until: Instant) -> bool {
        let there_at = {
            let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let full_again = full_at.unwrap_or(now).max(now) + Duration::from_secs_f64(tokens / self.per_second);
            let there_at = now + (full_again - now).saturating_sub(self.fills_in);
            if there_at > until {
                return false;
            }
            *full_at = Some(full_again);
            there_at
        };
        sleep_until(there_at).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_what_it_holds_at_once_and_the_rest_as_it_is_refilled() {
        let (bucket, began) = (Bucket::new(10.0, 2.0), Instant::now());
        let late = began + seconds(3_600);
        for _ in 0..10 {
            assert!(bucket.take(1.0, late).await);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            assert!(bucket.take(1.0, late).await);
        }
        assert_eq!(began.elapsed().as_secs(), 5);
        sleep(seconds(60)).await; // it holds no more than it holds
        assert!(bucket.take(12.0, late).await);
        assert_eq!(began.elapsed().as_secs(), 66);
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_come_too_late_is_not_waited_for_and_not_taken() {
        let (bucket, began) = (Bucket::new(1.0, 1.0), Instant::now());
        let until = began + seconds(3);
        for _ in 0..4 {
            assert!(bucket.take(1.0, until).await);
        }
        for _ in 0..100 {
            assert!(!bucket.take(1.0, until).await);
        }
        assert_eq!(began.elapsed().as_secs(), 3);
        assert!(bucket.take(1.0, until + seconds(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_the_time_is_for_reading_and_the_last_of_it_for_telling() {
        let now = Instant::now();
        let budget = Budget::until(now + seconds(300));
        assert_eq!((budget.read_until - now, budget.stop_until - now), (seconds(150), seconds(250)));
        let short = Budget::until(now + seconds(20));
        assert_eq!((short.read_until - now, short.stop_until - now), (seconds(10), seconds(15)));
    }
}
