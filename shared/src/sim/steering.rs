//! A health check as it is changed: disabled and inverted, by Catnap or by hand, and what Route 53 makes of it.

use std::collections::BTreeMap;

use super::{Sim, World, refused};
use crate::model::HealthCheckId;
use crate::steer::{Lead, Marks};
use crate::trouble::{CloudError, Trouble};

/// What a health check has beside its configuration.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    pub(super) version: i64,
    /// By the tag that they are written in.
    pub(super) marks: BTreeMap<&'static str, Marks>,
}

impl Default for Beside {
    fn default() -> Self {
        Self { version: 1, marks: BTreeMap::new() }
    }
}

impl Sim {
    /// Sets a health check as a person would.
    pub fn set_health_check(&self, id: &HealthCheckId, disabled: bool, inverted: bool) {
        self.world().set_health_check(id, disabled, inverted);
    }

    /// Makes the next UpdateHealthCheck one whose answer is lost: it is made, and the SDK sends it again.
    pub fn lose_next_answer(&self) {
        self.world().loses_answer = true;
    }

    /// From now on an UpdateHealthCheck that changes nothing makes no version. What AWS does is not documented.
    pub fn count_changes_alone(&self) {
        self.world().counts_changes_alone = true;
    }

    /// What Catnap has written beside a health check, in both tags.
    #[must_use]
    pub fn marks(&self, id: &HealthCheckId) -> Marks {
        let world = self.world();
        let tags = world.beside.get(id).into_iter().flat_map(|beside| beside.marks.values());
        Marks(tags.flat_map(|marks| marks.0.clone()).collect())
    }
}

impl World {
    /// UpdateHealthCheck, of a version.
    pub(super) fn lead(&mut self, id: &HealthCheckId, version: i64, to: Lead) -> Result<i64, CloudError> {
        const OPERATION: &str = "UpdateHealthCheck";
        self.call(OPERATION, id.as_str())?;
        if !self.health_checks.contains_key(id) {
            return Err(refused(OPERATION, Trouble::NotFound));
        }
        if self.beside.entry(id.clone()).or_default().version != version {
            return Err(refused(OPERATION, Trouble::Outdated));
        }
        let was = self.health_checks.get(id).map(|config| (config.disabled, config.inverted));
        if !self.counts_changes_alone || was != Some((to.disabled(), to.inverted())) {
            self.set_health_check(id, to.disabled(), to.inverted());
        }
        if std::mem::take(&mut self.loses_answer) {
            return self.lead(id, version, to);
        }
        Ok(self.beside.entry(id.clone()).or_default().version)
    }

    fn set_health_check(&mut self, id: &HealthCheckId, disabled: bool, inverted: bool) {
        let Some(config) = self.health_checks.get_mut(id) else { return };
        (config.disabled, config.inverted) = (disabled, inverted);
        self.beside.entry(id.clone()).or_default().version += 1;
        if let Some(watch) = self.watches.get_mut(id) {
            watch.set(disabled, inverted);
            self.turn_dns(self.now);
        }
    }
}
