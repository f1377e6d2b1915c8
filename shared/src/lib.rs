//! Catnap's core: scale-to-zero for any EC2 instance.
//!
//! The decisions are pure: [`wake`] says what to do with a request, [`idle`] whether an instance naps.
//! [`cloud`] is what they need from the world; `aws` (feature `aws`) and `sim` (feature `sim`) fill it in.
//! `docs/architecture.md` has the map.

pub mod classify;
pub mod cloud;
pub mod config;
pub mod idle;
pub mod learned;
pub mod look;
pub mod model;
pub mod noise;
pub mod overrides;
pub mod record;
pub mod replay;
pub mod schedule;
pub mod steer;
pub mod trouble;
pub mod wake;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "sim")]
pub mod sim;
