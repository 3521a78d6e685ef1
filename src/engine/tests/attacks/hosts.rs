//! A node as a mailbox host: strangers that flood it, collectors and erasers that have no right to, clocks that jump, and
//! what its own operator can learn.

mod clocks;
mod deposits;
mod floods;
mod tokens;
mod view;

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::mailbox::{bits_for, stamp};
use kinfolk_engine::input::{AskId, Command, MailboxOffer, Report};
use kinfolk_engine::store::{Key, MemoryStore, Read, Record, Row, Stored, Table};
use kinfolk_engine::{Answer, Effect, Input, Turn, found, next_wakeup, turn};
use kinfolk_wire::ids::{MailboxTag, PeerId};
use kinfolk_wire::mailbox::{
    Admission, Bucket, Collect, Deposit, Erasure, Found, Host, ROOM, Refused, Reply, Request, Stamp, TAGS,
};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const HOST: PeerId = PeerId::new([9; PeerId::LENGTH]);
const HOUR: Span = Span::from_hours(1);

/// A node alone, with what comes to it from people it does not know.
struct Inn {
    now: Timestamp,
    rng: ChaCha8Rng,
    store: MemoryStore,
    asks: u64,
}

/// A number of one's own, 16 bytes long.
fn number(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes
}

fn tag(of: u64) -> MailboxTag {
    MailboxTag::new(number(of))
}

fn erasure(of: u64) -> Erasure {
    Erasure { tag: tag(of), key: number(!of) }
}

fn blob(of: u64, bucket: Bucket) -> Vec<u8> {
    number(of).repeat(bucket.bytes() / 16)
}

impl Inn {
    fn closed() -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let founded = found(now, &mut rng, Name::new("Inn").unwrap(), None, &[7; 32], HOST).unwrap();
        let mut inn = Self { now, rng, store: MemoryStore::default(), asks: 0 };
        inn.store.commit(&founded.changes);
        inn.input(Input::Started);
        inn
    }

    fn open(capacity: u64, work_bits: u8) -> Self {
        let mut inn = Self::closed();
        inn.serve(Some(MailboxOffer { capacity, work_bits }));
        inn
    }

    fn serve(&mut self, offer: Option<MailboxOffer>) -> Option<Host> {
        match self.input(Input::Command(Command::ServeMailbox(offer))).answer {
            Answer::Host(host) => Some(host),
            Answer::Done => None,
            other => panic!("{other:?}"),
        }
    }

    fn input(&mut self, input: Input) -> Turn {
        let made = turn(self.now, &mut self.rng, &self.store, input).unwrap();
        self.store.commit(&made.changes);
        made
    }

    /// Bytes come as a question; the bytes of the one answer.
    fn ask_raw(&mut self, body: Vec<u8>) -> (Vec<u8>, Turn) {
        self.asks += 1;
        let ask = AskId(self.asks);
        let made = self.input(Input::Network(Report::Asked { ask, body }));
        match &made.effects[..] {
            [Effect::Answer(answered, reply)] if *answered == ask => (reply.clone(), made),
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, request: &Request) -> Reply {
        Reply::decode(&self.ask_raw(request.encode()).0).unwrap()
    }

    fn hour(&self) -> u32 {
        u32::try_from(self.now.as_millis() / HOUR.as_millis()).unwrap()
    }

    /// A deposit for which the work is done that a host wants who asks for `bits` and has room.
    fn worked(&self, of: u64, bucket: Bucket, bits: u8) -> Deposit {
        let blob = blob(of, bucket);
        let stamp = stamp(&HOST, &tag(of), &blob, self.hour(), bits_for(bits, bucket)).unwrap();
        let erasure = sha256(&[&erasure(of).key]);
        Deposit { tag: tag(of), lifetime: 24, erasure, admission: Admission::Work(stamp), blob }
    }

    /// A deposit comes, again with the work that is wanted where that was too little.
    fn deposit(&mut self, mut deposit: Deposit) -> Reply {
        let reply = self.ask(&Request::Deposit(deposit.clone()));
        let Reply::Refused(Refused::Work { bits, hour }) = reply else { return reply };
        let bits = bits_for(bits, deposit.bucket().unwrap());
        deposit.admission =
            Admission::Work(stamp(&HOST, &deposit.tag, &deposit.blob, hour, bits).unwrap_or(Stamp { hour, nonce: 0 }));
        self.ask(&Request::Deposit(deposit))
    }

    fn leave(&mut self, of: u64, bucket: Bucket) -> Reply {
        self.deposit(self.worked(of, bucket, 0))
    }

    /// What lies under the tags of these numbers, and whether there was more.
    fn collect(&mut self, room: u8, of: impl IntoIterator<Item = u64>) -> Found {
        let mut tags: Vec<MailboxTag> = of.into_iter().map(tag).collect();
        tags.extend((0..).map(|decoy| tag(u64::MAX - decoy)).take(TAGS - tags.len()));
        match self.ask(&Request::Collect(Collect { room, tags })) {
            Reply::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    /// Which of the numbers have something that is theirs.
    fn there(&mut self, of: std::ops::Range<u64>) -> Vec<u64> {
        let mut there = Vec::new();
        for number in of {
            let found = self.collect(ROOM, [number]);
            if let Some((0, lies)) = found.blobs.first() {
                assert_eq!(*lies, blob(number, Bucket::of(lies.len()).unwrap()));
                there.push(number);
            }
        }
        there
    }

    fn row<T: Record>(&self, key: &Key) -> Option<T> {
        self.store.get(key).unwrap().and_then(T::of)
    }

    fn stored(&self) -> Stored {
        self.row(&Key::Stored).unwrap_or_default()
    }

    fn table(&self, table: Table) -> Vec<(Key, Row)> {
        self.store.iter().filter(|(key, _)| key.table() == table).cloned().collect()
    }

    /// Lets time pass: alarms ring.
    fn pass(&mut self, span: Span) {
        let end = self.now.after(span);
        while let Some(at) = next_wakeup(&self.store).unwrap().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Wake);
        }
        self.now = self.now.max(end);
    }

    /// Somebody sets the clock, and the node notices.
    fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
        self.input(Input::Wake);
    }
}
