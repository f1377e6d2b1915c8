//! The whole loop on one machine: the real starter and the real stopper in a simulated cloud with a clock of its own.
//!
//! ```
//! use chrono::TimeDelta;
//! use sandbox::{Sandbox, Setup, Visitor};
//!
//! let sandbox = Sandbox::new(&Setup::default())?;
//! sandbox.run(TimeDelta::minutes(10));
//! sandbox.visit(Visitor::named("Ada"));
//! sandbox.run(TimeDelta::hours(3)); // takes some milliseconds
//! for event in sandbox.events() {
//!     println!("{event}");
//! }
//! # Ok::<(), sandbox::SetupError>(())
//! ```

mod core;
mod crowd;
mod event;
mod fault;
mod gateway;
mod laws;
pub mod page;
mod port;
mod sandbox;
mod scenarios;
mod search;
mod shrink;
mod stage;
mod story;
mod timeline;
mod visitor;
mod world;

pub use event::{Event, Got, Step, What};
pub use fault::{Fault, Weather};
pub use sandbox::{Sandbox, Setup, SetupError, Snapshot};
pub use scenarios::SCENARIOS;
pub use search::{Outcome, tell};
pub use shrink::{Find, search};
pub use stage::{Played, Scenario};
pub use story::{Act, Deed, Story};
pub use timeline::timeline;
pub use visitor::Visitor;
pub use world::{API, APP, NoAnswer};
