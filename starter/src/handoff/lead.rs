//! Leading visitors by the health check, where `Steer` is set: home as soon as the app answers, and to its checkers
//! some minutes later.

use std::time::Duration;

use chrono::TimeDelta;
use shared::cloud::{App, Cloud};
use shared::model::HealthCheckId;
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
/// No visitor waits longer for it: four calls, one after the other, to a region that may be on the other side of the
/// world. Whoever comes next tries again.
pub(super) const WITHIN: Duration = Duration::from_secs(3);

impl<C: Cloud, A: App, S: Sink> Starter<C, A, S> {
    /// Leads visitors to an app that has just answered: says where to, if that is another place than before, or if
    /// the way is closed to them.
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
        if !self.is_to_be_looked_at(id, by_somebody, asked) {
            return Ok(None);
        }
        let lead = async {
            let steering = self.cloud.steering(id).await?;
            let stance = steering.stance();
            if matches!(stance, Stance::Away { .. } | Stance::Closed { .. }) {
                self.memory().unconverged.remove(&asked.addressed.host); // DNS leads elsewhere because it shall
            }
            let lead = steer::on_answer(stance, instance, by_somebody, *idle, now);
            if let Some(lead) = lead {
                self.cloud.steer(id, &steering, lead, now).await?;
            }
            let home_since = match (stance, lead) {
                (_, Some(Lead::Home)) => Some(now),
                (Stance::Home { since }, None) => Some(since),
                _ => None,
            };
            if let Some(since) = home_since {
                self.memory().steering_known_until.insert((id.clone(), true), since + steer::HOME_FOR);
            }
            Ok(lead.or(matches!(stance, Stance::Closed { .. }).then_some(Lead::Closed)))
        };
        timeout(WITHIN, lead).await.unwrap_or_else(|_| {
            let message = format!("not done, with what it needs before, within {} seconds", WITHIN.as_secs());
            Err(CloudError::without_answer(Trouble::Unreachable, "UpdateHealthCheck", message))
        })
    }

    /// Whether Route 53 is to be asked now where visitors are led. A page's twenty pictures, and whoever is nobody,
    /// leave that to people and ticks: but where an app is bridged for long there may be a reason for it.
    fn is_to_be_looked_at(&self, id: &HealthCheckId, by_somebody: bool, asked: &Asked<'_>) -> bool {
        let (memory, now) = (&mut *self.memory(), asked.moment.now);
        let drags_on = memory.unconverged.get(&asked.addressed.host).is_some_and(|it| it.drags_on());
        let is_known = |who| memory.steering_known_until.get(&(id.clone(), who)).is_some_and(|until| now < *until);
        let is_to_be = if by_somebody { !is_known(true) } else { drags_on && !is_known(true) && !is_known(false) };
        if is_to_be {
            memory.steering_known_until.insert((id.clone(), by_somebody), now + LOOK_AGAIN_AFTER);
        }
        is_to_be
    }
}
