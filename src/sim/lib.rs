//! Many engines in one process, in virtual time, over a network that loses, delays, doubles, reorders, forges and
//! falls apart, on machines that crash between any two steps, whose disks refuse, whose clocks are set and whose
//! backups are put back.
//!
//! A [`World`](world::World) is made from a seed and runs the same way each time. While it runs, a
//! [`Watch`](watch::Watch) looks at everything that leaves a node, and a [`Model`](model::Model) notes what people were
//! told; when the faults have stopped and the world has come to rest, the model says what every screen must show. A
//! world that shows something else is a fault of the engine, and its seed finds it again.
//!
//! [`Mutant`](mutant::Mutant)s are engines and drivers with one fault planted in them: a simulator that does not notice
//! one would not notice such a fault in ours either. Tests call all of it; nothing of it is in a node.
//!
//! | file | what it holds |
//! |---|---|
//! | [`world`] | people, virtual time, wires: the run from a seed to a verdict |
//! | [`node`] | an engine, its store, and a driver that gathers turns into batches |
//! | [`network`] | what happens when, streams |
//! | [`away`] | many people who are seldom there, and mailboxes between them |
//! | [`host`] | a mailbox host that keeps to the rules, or does not |
//! | [`faults`] | what goes wrong, how often, and how often it did |
//! | [`watch`] | what may never happen on the way |
//! | [`model`] | what every screen must show at the end |
//! | [`mutant`] | faults to be caught |

pub mod away;
pub mod faults;
pub mod host;
pub mod model;
pub mod mutant;
pub mod network;
pub mod node;
pub mod watch;
pub mod world;
