//! What a person sees of panics.

/// Keeps quiet about the panics of a database that gives up on its files: the store catches them, and what comes of it is
/// told as an error. All others are shown as ever.
pub(crate) fn quieten() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if kinfolk_store::contains_panics() {
            tracing::debug!(%panic, "the database gave up");
        } else {
            loud(panic);
        }
    }));
}
