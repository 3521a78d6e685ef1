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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn g08_a_panic_that_the_store_catches_is_not_shown_and_any_other_is() {
        let shown = Arc::new(AtomicUsize::new(0));
        let count = shown.clone();
        std::panic::set_hook(Box::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        super::quieten();
        for (thread, expected) in [("sled-io-1", 0), ("kinfolk-driver", 1)] {
            let named = std::thread::Builder::new().name(thread.to_owned());
            named.spawn(|| panic!("a bug")).unwrap().join().unwrap_err();
            assert_eq!(shown.load(Ordering::SeqCst), expected, "{thread}");
        }
    }
}
