//! Visits of known times over noise of known kinds, and how well a policy tells the two apart.

pub mod cell;
pub mod score;
pub mod world;
