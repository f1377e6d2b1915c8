//! The search for faults: stories from seeds, and the shortest one that breaks the same law.

use chrono::TimeDelta;

use crate::sandbox::SetupError;
use crate::search::{Outcome, tell};
use crate::story::Story;

/// A story that breaks a law, and the shortest one found that breaks it as well.
#[derive(Debug)]
pub struct Find {
    /// The law.
    pub law: String,
    /// The shortest story.
    pub story: Story,
    /// What happened in it.
    pub outcome: Outcome,
    /// How many stories were tried to find it.
    pub tried: usize,
}

/// The law alone, without what is particular to one story.
fn kind(law: &str) -> &str {
    law.split(|c: char| c.is_ascii_digit()).next().unwrap_or(law).split(": ").next().unwrap_or(law)
}

/// Looks whether the story of this seed breaks a law, and if so for the shortest one that breaks it.
///
/// # Errors
/// When its world cannot be set up.
pub fn search(seed: u64) -> Result<(TimeDelta, Option<Find>), SetupError> {
    find(Story::of(seed))
}

pub(crate) fn find(story: Story) -> Result<(TimeDelta, Option<Find>), SetupError> {
    let outcome = tell(&story)?;
    let took = outcome.took;
    let Some(law) = outcome.broken.first().map(|law| kind(law).to_owned()) else { return Ok((took, None)) };
    Ok((took, Some(shrink(story, outcome, law)?)))
}

/// Leaves out acts as long as the law is still broken: halves first, then less and less.
fn shrink(mut story: Story, mut outcome: Outcome, law: String) -> Result<Find, SetupError> {
    let mut tried = 1;
    let mut size = story.acts.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut shorter) = (0, false);
        while from < story.acts.len() {
            let mut acts = story.acts.clone();
            acts.drain(from..(from + size).min(acts.len()));
            let candidate = Story { acts, ..story.clone() };
            let told = tell(&candidate)?;
            tried += 1;
            if told.broken.iter().any(|broken| kind(broken) == law) {
                (story, outcome, shorter) = (candidate, told, true);
            } else {
                from += size;
            }
        }
        if size == 1 && !shorter {
            break;
        }
        size = (size / 2).max(1);
    }
    let law = outcome.broken.iter().find(|broken| kind(broken) == law).cloned().unwrap_or(law);
    Ok(Find { law, story, outcome, tried })
}
