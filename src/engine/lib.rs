//! Floor 3: the rules. What may be done, what counts, what happens next.
//!
//! One [`Input`] goes in; [`Changes`](store::Changes) and [`Effect`]s come out. A turn
//! sees the time, a generator of randomness and the store as it stands, its own writes included, and nothing else:
//! no clock, no socket, no disk, no thread. So a thousand engines run in one test process in virtual time, and the same
//! seed gives the same run. The node's driver (floor 5) calls it, and so does the simulator.
//!
//! Read in this order: [`input`], [`effect`], [`event`], [`store`] (the schema), [`engine`] (routing), one feature.
//!
//! *Services* hold what several features need: the directory of people and devices, sessions, the outbox.
//! *Features* never import each other; what one must cause in another, `engine.rs` routes.

pub mod effect;
pub mod engine;
pub mod event;
mod features;
pub mod input;
pub mod lookalikes;
pub mod query;
pub mod refusal;
mod services;
mod step;
pub mod stickers;
pub mod store;

pub use effect::Effect;
pub use engine::{Answer, Founded, Imported, Turn, found, next_wakeup, turn};
pub use event::Event;
pub use input::Input;
pub use refusal::Refusal;
pub use step::Rejection;
