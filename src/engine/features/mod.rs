//! What a person can do. A feature uses services, the step and the floors below, and never another feature.

pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod mailboxes;
pub(crate) mod wallet;
