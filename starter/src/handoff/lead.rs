//! Leading visitors by the health check, where `Steer` is set: home as soon as the app answers, and to its checkers
//! some minutes later.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::cloud::{App, Cloud};
use shared::overrides::Steerable;
use shared::record::Sink;
use shared::steer::{self, Lead, Stance};
use shared::trouble::{CloudError, Trouble};
use tokio::time::timeout;

use crate::observe::Seen;
use crate::{Asked, Starter};

/// A health check is looked at no more often than this: Route 53 takes five calls a second from the whole account.
/// A look for nobody holds up none for a person, who alone ends a drain.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);
/// No visitor waits longer for it. Whoever comes next tries again.
pub(super) const WITHIN: Duration = Duration::from_secs(1);

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Leads visitors to an app that has just answered: says where to, if that is another place than before.
    ///
    /// # Errors
    /// What Route 53 refused. Visitors are bridged meanwhile.
    pub(crate) async fn lead(&self, asked: &Asked<'_>, seen: &Seen) -> Result<Option<Lead>, CloudError> {
        let now = asked.moment.now;
        let (Some(instance), Some(Steerable { id, idle }), false) =
            (seen.instance(), &seen.steerable, self.config.dry_run)
        else {
            return Ok(None);
        };
        let by_somebody = asked.class.is_of_somebody();
        {
            let looked_at = &mut self.memory().steering_looked_at;
            let lately =
                |who| looked_at.get(&(id.clone(), who)).is_some_and(|at: &DateTime<Utc>| now - *at < LOOK_AGAIN_AFTER);
            if lately(true) || (!by_somebody && lately(false)) {
                return Ok(None);
            }
            looked_at.insert((id.clone(), by_somebody), now);
        }
        let lead = async {
            let steering = self.cloud.steering(id).await?;
            if matches!(steering.stance(), Stance::Away { .. } | Stance::Closed { .. }) {
                self.memory().unconverged.remove(&asked.addressed.host); // DNS leads elsewhere because it shall
            }
            let lead = steer::on_answer(steering.stance(), instance, by_somebody, *idle, now);
            if let Some(lead) = lead {
                self.cloud.steer(id, &steering, lead, now).await?;
            }
            Ok(lead)
        };
        timeout(WITHIN, lead).await.unwrap_or_else(|_| {
            let (operation, code) = ("UpdateHealthCheck", String::new());
            Err(CloudError { trouble: Trouble::Unreachable, operation, code, message: "not within a second".into() })
        })
    }
}
