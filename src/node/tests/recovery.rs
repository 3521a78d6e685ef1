//! What a node has to hear and cannot, because the system fails it for a while, is heard when it is well again; and one
//! that ends says goodbye.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kinfolk_node::entropy::SystemEntropy;

mod support;

use support::{ANYWHERE, Dry, Person, address, at, befriend, end, is_online};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_is_noticed_though_its_turn_fails_at_first() {
    let (anna, ben, dry) = (Person::new("Anna"), Person::new("Ben"), Dry::default());
    let (hers, his) = (at(&anna.dir, ANYWHERE, dry.clone()), at(&ben.dir, ANYWHERE, SystemEntropy));
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    dry.out(true);
    end(his).await;
    dry.was_asked().await;
    dry.out(false);
    // Sooner than the engine finds out for itself that nobody answers.
    let heard = is_online(&hers.handle, ben.identity, false);
    tokio::time::timeout(Duration::from_secs(12), heard).await.unwrap();
    end(hers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_first_turn_fails_reaches_its_contacts_once_it_does_not() {
    let (anna, ben, dry) = (Person::new("Anna"), Person::new("Ben"), Dry::default());
    let (hers, his) = (at(&anna.dir, ANYWHERE, dry.clone()), at(&ben.dir, ANYWHERE, SystemEntropy));
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    let where_he_is = address(&his.handle).await;
    end(hers).await;
    end(his).await;
    dry.out(true);
    // Where she is now, only she can tell him.
    let hers = at(&anna.dir, ANYWHERE, dry.clone());
    dry.was_asked().await;
    let his = at(&ben.dir, &where_he_is, SystemEntropy);
    address(&his.handle).await;
    dry.out(false);
    is_online(&hers.handle, ben.identity, true).await;
    is_online(&his.handle, anna.identity, true).await;
    end(hers).await;
    end(his).await;
}

#[test]
fn a_node_that_has_stopped_has_left_the_network_and_said_goodbye() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (of_anna, of_ben) = (runtime(), runtime());
    let (anna, ben) = (Person::new("Anna"), Person::new("Ben"));
    let hers = of_anna.block_on(async { at(&anna.dir, ANYWHERE, SystemEntropy) });
    let his = of_ben.block_on(async { at(&ben.dir, ANYWHERE, SystemEntropy) });
    of_ben.block_on(befriend((&anna, &hers.handle), (&ben, &his.handle)));
    // A machine so busy that the network comes to its turn only in a while.
    let busy = Arc::new(AtomicBool::new(true));
    let (over, (tell, begun)) = (busy.clone(), std::sync::mpsc::sync_channel(1));
    of_anna.spawn(async move {
        tell.send(()).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(700) {
            std::hint::spin_loop();
        }
        over.store(false, Ordering::SeqCst);
    });
    begun.recv().unwrap();
    of_anna.block_on(end(hers));
    assert!(!busy.load(Ordering::SeqCst), "the network has not had its turn yet");
    // As at the end of a process: whatever is still under way is cut off.
    of_anna.shutdown_background();
    of_ben.block_on(async {
        let gone = is_online(&his.handle, anna.identity, false);
        tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
        end(his).await;
    });
}
