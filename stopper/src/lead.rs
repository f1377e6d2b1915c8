//! Leading visitors by the health check around a nap, where `Steer` is set: away before it, and back to the checkers
//! when there is none.

use shared::cloud::Cloud;
use shared::idle::{IdleDecision, KeepReason, NapReason, Unwakeable};
use shared::record::Sink;
use shared::steer::{self, AfterRefusal, Drain, Lead, Stance};
use shared::trouble::CloudError;

use crate::observe::Target;
use crate::{Outcome, Report, Stopper, Tick};

/// How far visitors are led away from an instance that is to nap.
pub(crate) enum Way {
    /// Nobody comes any more, or nobody is led at all.
    Clear,
    /// The role may not lead them: it naps as it would without `Steer`.
    Unled(CloudError),
    /// Some may still come.
    Draining,
    /// It is kept after all, for a visitor whom the starter has led home, or for want of the right to steer.
    Kept(KeepReason, Option<CloudError>),
}

impl<C: Cloud, S: Sink> Stopper<C, S> {
    /// Leads visitors to the starter before a nap, and closes the way when it is time. What nobody can reach needs
    /// none of it.
    pub(crate) async fn drain(&self, decision: &IdleDecision, target: &Target, tick: &Tick) -> Result<Way, CloudError> {
        let (IdleDecision::Nap(NapReason::Idle { since, quiet, .. }), Some((id, seen))) = (decision, &target.steering)
        else {
            return Ok(Way::Clear);
        };
        let refused = self.was_refused(&target.instance.id);
        let (lead, then) = match steer::before_nap(seen.stance(), *since + *quiet, refused, tick.now) {
            Drain::Spared => return Ok(Way::Clear),
            Drain::Begin => (Lead::Away, Way::Draining),
            Drain::Wait => return Ok(Way::Draining),
            Drain::Over => (Lead::Closed, Way::Clear),
        };
        let Err(error) = self.cloud.steer(id, seen, lead, tick.now).await else { return Ok(then) };
        match steer::after_refusal(error.trouble, seen.stance()) {
            AfterRefusal::NapWithout => Ok(Way::Unled(error)),
            AfterRefusal::Keep => {
                Ok(Way::Kept(KeepReason::FailoverOff { because: Unwakeable::HealthCheckDisabled }, Some(error)))
            }
            AfterRefusal::LookAgain => {
                let found = self.cloud.steering(id).await?;
                match found.stance() {
                    _ if found.was_led(lead, tick.now) => Ok(then),
                    Stance::Home { since } => Ok(Way::Kept(KeepReason::Visitors { at: since }, None)),
                    _ => Err(error),
                }
            }
            AfterRefusal::TryAgain => Err(error),
        }
    }

    /// Opens the way again, after a stop that EC2 refused.
    pub(crate) async fn reopen(&self, target: &Target, tick: &Tick) -> Result<(), CloudError> {
        let Some((id, _)) = &target.steering else { return Ok(()) };
        let seen = self.cloud.steering(id).await?;
        match seen.stance() {
            Stance::Closed { .. } => self.cloud.steer(id, &seen, Lead::Checked, tick.now).await,
            _ => Ok(()),
        }
    }

    /// Leaves an instance as it is, and puts right how its visitors are led.
    pub(crate) async fn leave(&self, decision: IdleDecision, target: Target, tick: &Tick) -> Report {
        let error = self.mend(&target, tick).await.err();
        self.report(decision, Outcome::Left, error, target, tick.now)
    }

    /// Puts right how the visitors of an instance are led that is not napped.
    pub(crate) async fn mend(&self, target: &Target, tick: &Tick) -> Result<(), CloudError> {
        let Some((id, seen)) = target.steering.as_ref().filter(|_| !self.config.dry_run) else { return Ok(()) };
        let boot = target.overrides.policy.boot_deadline;
        let lead = steer::at_a_tick(seen.stance(), &target.instance, boot, tick.now);
        // Of two with one name nobody knows whose health check it is: it goes back to the checkers, and nowhere else.
        match lead.filter(|lead| target.host.is_some() || *lead == Lead::Checked) {
            Some(lead) => self.cloud.steer(id, seen, lead, tick.now).await,
            None => Ok(()),
        }
    }
}
