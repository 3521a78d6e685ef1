//! A script of bytes played on a session: who speaks, what the network loses, repeats, reorders and forges, when a
//! device restarts. The fuzz target `session` makes up scripts; a test replays them.

use std::collections::BTreeSet;

use kinfolk_wire::envelope::{INIT, InitMessage, Payload};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;

use crate::support::{End, NOW, rng, talking};

/// What is under way to one side: the payload, and the number in it.
type Mail = Vec<(Vec<u8>, u32)>;

struct Side {
    end: End,
    inbox: Mail,
    opened: BTreeSet<u32>,
}

/// Longer scripts only repeat what shorter ones do.
const STEPS: usize = 200;

/// Plays a script. Whatever it says: what opens is what was sent to this side, each message opens once, what was
/// delivered unaltered opens, and what does not open leaves the session as it was.
///
/// # Panics
/// If any of that does not hold.
pub(crate) fn play(script: &[u8]) {
    let mut rng = rng(7);
    let (alice, bob) = talking(&mut rng);
    let side = |end| Side { end, inbox: Vec::new(), opened: BTreeSet::new() };
    let mut sides = [side(alice), side(bob)];
    let mut now = NOW;
    let mut sent = 0_u32;
    for step in script.as_chunks::<3>().0.iter().take(STEPS) {
        let [act, which, what] = *step;
        let who = usize::from(act & 1);
        match act >> 1 {
            0..=39 => {
                sent += 1;
                let payload = sides[who].end.send_at(&mut rng, now, &number(sent, what));
                sides[1 - who].inbox.push((payload, sent));
            }
            40..=79 => {
                if let Some((payload, number)) = pick(&mut sides[who], which, what & 1 == 0) {
                    deliver(&mut sides[who], now, &payload, number);
                }
            }
            80..=99 => {
                if let Some((mut payload, _)) = pick(&mut sides[who], which, false) {
                    // What stands in front of an `Init` was read when the session began, and is not looked at again.
                    let from = if payload[0] == INIT { InitMessage::PREFIX } else { 0 };
                    let at = from + usize::from(what) * 7 % (payload.len() - from);
                    payload[at] ^= 1 << (which % 8);
                    refuse(&mut sides[who], now, &payload);
                }
            }
            100..=106 => {
                // What was meant for the other side comes back to its sender.
                if let Some((payload, _)) = pick(&mut sides[1 - who], which, false) {
                    refuse(&mut sides[who], now, &payload);
                }
            }
            107..=113 => sides[who].end.restart(),
            114..=120 => now = now.after(Span::from_hours(u64::from(what) / 8)),
            _ => refuse(&mut sides[who], now, &forged(&mut rng, *step)),
        }
    }
}

/// A text that says its number and has some length.
fn number(sent: u32, padding: u8) -> Vec<u8> {
    [&sent.to_be_bytes()[..], &vec![padding; usize::from(padding) * 3]].concat()
}

/// One of the messages under way; it stays under way if it is to come again.
fn pick(side: &mut Side, which: u8, take: bool) -> Option<(Vec<u8>, u32)> {
    let at = usize::from(which) % side.inbox.len().max(1);
    if take && at < side.inbox.len() { Some(side.inbox.remove(at)) } else { side.inbox.get(at).cloned() }
}

fn deliver(side: &mut Side, now: Timestamp, payload: &[u8], number: u32) {
    if side.opened.contains(&number) {
        return refuse(side, now, payload);
    }
    let opened = side.end.receive_at(now, payload);
    let age = now.since(NOW);
    match opened {
        Ok(plaintext) => {
            assert_eq!(plaintext.as_slice().first_chunk(), Some(&number.to_be_bytes()), "another message opened");
            assert!(side.opened.insert(number));
        }
        // Keys of overtaken messages are kept for 30 days.
        Err(error) => assert!(age >= Span::from_days(30), "message {number} does not open: {error}"),
    }
}

fn refuse(side: &mut Side, now: Timestamp, payload: &[u8]) {
    if Payload::decode(payload).is_err() {
        return;
    }
    let before = side.end.session.to_bytes();
    assert!(side.end.receive_at(now, payload).is_err(), "what was not sent opened");
    assert_eq!(side.end.session.to_bytes().as_slice(), before.as_slice(), "a refusal left a trace");
}

/// A well-formed message that nobody sealed.
fn forged(rng: &mut ChaCha20Rng, step: [u8; 3]) -> Vec<u8> {
    let mut body = vec![0; 27 + 69 + usize::from(step[2])];
    rand_core::Rng::fill_bytes(rng, &mut body);
    body[..3].copy_from_slice(&[0x11, 0, 69]);
    body
}
