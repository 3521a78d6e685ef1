//! Two tables against each other: everything that can happen between two nodes, in every order that it can happen in.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::*;

/// Worlds in the ordinary run.
const WORLDS: u64 = 4_000;
/// Turns in which a world must come to rest.
const TURNS: usize = 2_000;

/// A stream's end in the hands of one side; dropping it closes it.
#[derive(Debug)]
struct End {
    stream: u64,
    connection: usize,
    side: usize,
    /// The life of the side that holds it: a node that restarted has another one.
    life: u32,
    dropped: Rc<RefCell<Vec<(u64, usize)>>>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push((self.stream, self.side));
    }
}

/// What a side is about to notice.
#[derive(Debug)]
enum Notice {
    Established,
    DialFailed,
    Opened(Role, End),
    OpenFailed,
    Closed,
}

#[derive(Debug)]
struct Wire {
    /// Who dialled, and in which life of each side it was made.
    dialer: usize,
    lives: [u32; 2],
    alive: bool,
    /// Whether it goes over a relay, and whether a stream on it was not to be.
    relayed: bool,
    failed: bool,
    /// What happened on it and each side has not noticed, in order.
    notices: [VecDeque<Notice>; 2],
}

struct World {
    chance: u64,
    peers: [PeerId; 2],
    tables: [Peers<End>; 2],
    lives: [u32; 2],
    wires: Vec<Wire>,
    links: [BTreeMap<u64, End>; 2],
    /// Streams whose task is over and not joined.
    over: [Vec<u64>; 2],
    /// What a side's driver is about to ask for.
    redials: [usize; 2],
    connected: [Option<(u64, Role)>; 2],
    streams: u64,
    requests: u64,
    outstanding: [usize; 2],
    kills: usize,
    restarts: usize,
    /// Straight connections that neither table has dialled.
    punches: usize,
    dropped: Rc<RefCell<Vec<(u64, usize)>>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let peers = [PeerId::new([1; 38]), PeerId::new([2; 38])];
        let mut world = Self {
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            peers,
            tables: [Peers::new(peers[0]), Peers::new(peers[1])],
            lives: [0; 2],
            wires: Vec::new(),
            links: [BTreeMap::new(), BTreeMap::new()],
            over: [Vec::new(), Vec::new()],
            redials: [0; 2],
            connected: [None; 2],
            streams: 0,
            requests: 0,
            outstanding: [0; 2],
            kills: 0,
            restarts: 0,
            punches: 0,
            dropped: Rc::default(),
        };
        world.redials = [[1, 0], [0, 1], [1, 1], [2, 2]][world.below(4)];
        world.kills = world.below(3);
        world.restarts = world.below(3);
        world.punches = world.below(3);
        world
    }

    fn below(&mut self, bound: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        usize::try_from(self.chance >> 11).unwrap() % bound
    }

    /// One thing happens; `false` if nothing can.
    fn turn(&mut self) -> bool {
        self.notice_drops();
        let mut possible: Vec<(u8, usize, usize)> = Vec::new();
        for side in 0..2 {
            let noticing = self.wires.iter().enumerate().filter(|(_, wire)| !wire.notices[side].is_empty());
            possible.extend(noticing.map(|(wire, _)| (0, side, wire)));
            possible.extend((0..self.over[side].len()).map(|at| (1, side, at)));
            possible.extend((self.redials[side] > 0).then_some((2, side, 0)));
        }
        if self.kills > 0 {
            possible.extend(self.wires.iter().enumerate().filter(|(_, wire)| wire.alive).map(|(at, _)| (3, 0, at)));
        }
        if self.restarts > 0 {
            possible.extend([(4, 0, 0), (4, 1, 0)]);
        }
        if self.punches > 0 && self.wires.iter().any(|wire| wire.relayed && wire.alive && wire.lives == self.lives) {
            possible.push((5, 0, 0));
        }
        if possible.is_empty() {
            return false;
        }
        let at = self.below(possible.len());
        match possible[at] {
            (0, side, wire) => self.notice(side, wire),
            (1, side, at) => {
                let stream = self.over[side].remove(at);
                self.ended(side, stream);
            }
            (2, side, _) => self.redial(side),
            (3, _, wire) => {
                self.kills -= 1;
                self.kill(wire);
            }
            (5, ..) => {
                self.punches -= 1;
                let established = || VecDeque::from([Notice::Established]);
                self.wire(2, false, [established(), established()]);
            }
            (_, side, _) => {
                self.restarts -= 1;
                self.restart(side);
            }
        }
        true
    }

    fn wire(&mut self, dialer: usize, relayed: bool, notices: [VecDeque<Notice>; 2]) {
        let alive = notices.iter().all(|notices| matches!(notices.front(), Some(Notice::Established)));
        self.wires.push(Wire { dialer, lives: self.lives, alive, relayed, failed: false, notices });
    }

    /// A stream whose other end is gone is noticed by its task, at some time.
    fn notice_drops(&mut self) {
        let dropped: Vec<_> = self.dropped.borrow_mut().drain(..).collect();
        for (stream, side) in dropped {
            let other = 1 - side;
            let found = self.links[other].iter().find(|(_, end)| end.stream == stream).map(|(number, _)| *number);
            if let Some(number) = found {
                self.finish(other, number);
            }
        }
    }

    fn finish(&mut self, side: usize, number: u64) {
        if !self.over[side].contains(&number) {
            self.over[side].push(number);
        }
    }

    fn is_open_at(&self, side: usize, stream: u64) -> bool {
        let held = self.links[side].values().any(|end| end.stream == stream);
        let waits = |end: &End| end.stream == stream && end.side == side;
        let parked = self.tables[side].nodes.values().any(|node| node.next.as_ref().is_some_and(|new| waits(&new.io)));
        let travels = self.wires.iter().flat_map(|wire| &wire.notices[side]).any(|notice| match notice {
            Notice::Opened(_, end) => waits(end),
            _ => false,
        });
        held || parked || travels
    }

    fn notice(&mut self, side: usize, wire: usize) {
        let Some(notice) = self.wires[wire].notices[side].pop_front() else { return };
        let (peer, id) = (self.peers[1 - side], ConnectionId::new_unchecked(wire));
        self.refresh(side);
        let at = if self.wires[wire].relayed { "/p2p-circuit" } else { "/ip4/127.0.0.1/tcp/1" };
        let table = &mut self.tables[side];
        let actions = match notice {
            Notice::Established => table.connected(peer, id, Address::new(at).unwrap()),
            Notice::DialFailed => table.dial_failed(peer, id, DialFailure::Unreachable),
            Notice::Opened(role, end) => table.opened(peer, id, role, end, Instant::now()),
            Notice::OpenFailed => table.open_failed(peer, id),
            Notice::Closed => table.connection_closed(peer, id),
        };
        self.act(side, actions);
    }

    /// What the actor does before it asks the table: a task that is over is in nobody's way.
    fn refresh(&mut self, side: usize) {
        let peer = self.peers[1 - side];
        if self.tables[side].stream(&peer).is_some_and(|stream| self.over[side].contains(&stream)) {
            self.tables[side].ending(&peer);
        }
    }

    fn ended(&mut self, side: usize, number: u64) {
        self.links[side].remove(&number);
        let actions = self.tables[side].ended(self.peers[1 - side], number);
        self.act(side, actions);
    }

    fn redial(&mut self, side: usize) {
        self.redials[side] -= 1;
        self.refresh(side);
        self.requests += 1;
        self.outstanding[side] += 1;
        let place = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"][self.below(2)].parse().unwrap();
        let actions = self.tables[side].dial(RequestId(self.requests), self.peers[1 - side], vec![place]);
        self.act(side, actions);
    }

    fn act(&mut self, side: usize, actions: Vec<Action<End>>) {
        let other = 1 - side;
        for action in actions {
            match action {
                Action::Connect { request, places, .. } => {
                    let wire = self.wires.len();
                    let fails = self.below(8) == 0;
                    let established = || VecDeque::from([Notice::Established]);
                    let mut notices = [established(), established()];
                    if fails {
                        notices = Default::default();
                        notices[side].push_back(Notice::DialFailed);
                    }
                    let relayed = self.below(3) == 0;
                    self.wire(side, relayed, notices);
                    self.tables[side].dialling(request, self.peers[other], ConnectionId::new_unchecked(wire), places);
                }
                Action::Open { connection, .. } => self.open(side, number_of(connection)),
                Action::Start { stream, role, io, .. } => {
                    assert_eq!(io.life, self.lives[side]);
                    self.connected[side] = Some((io.stream, role));
                    let dead = !self.wires[io.connection].alive || !self.is_open_at(other, io.stream);
                    assert!(self.links[side].is_empty(), "two streams at once");
                    self.links[side].insert(stream, io);
                    if dead {
                        self.finish(side, stream);
                    }
                }
                Action::Close { stream } => self.finish(side, stream),
                Action::CloseConnection { connection } => self.kill(number_of(connection)),
                Action::CloseAll { .. } => (0..self.wires.len()).for_each(|wire| self.kill(wire)),
                Action::Tell(event) => self.tell(side, event),
            }
        }
    }

    fn tell(&mut self, side: usize, event: Event) {
        match event {
            Event::Connected { .. } => {
                assert!(self.connected[side].is_none(), "connected twice");
                self.outstanding[side] = 0;
            }
            Event::Disconnected { .. } => {
                assert!(self.connected[side].take().is_some(), "disconnected twice");
                self.redials[side] += 1;
            }
            Event::DialFailed { reason: DialFailure::Connected, .. } => self.outstanding[side] = 0,
            Event::DialFailed { .. } => {
                self.outstanding[side] = self.outstanding[side].saturating_sub(1);
                self.redials[side] += 1;
            }
            other => panic!("{other:?}"),
        }
    }

    fn open(&mut self, side: usize, wire: usize) {
        let other = 1 - side;
        if !self.wires[wire].alive {
            return;
        }
        if self.lives[other] != self.wires[wire].lives[other] {
            // Nobody is there to agree; it is noticed with the end of the connection.
            return;
        }
        if self.below(16) == 0 {
            self.wires[wire].failed = true;
            self.wires[wire].notices[side].push_back(Notice::OpenFailed);
            return;
        }
        self.streams += 1;
        for (at, role) in [(other, Role::Listener), (side, Role::Dialer)] {
            let end = End {
                stream: self.streams,
                connection: wire,
                side: at,
                life: self.lives[at],
                dropped: Rc::clone(&self.dropped),
            };
            self.wires[wire].notices[at].push_back(Notice::Opened(role, end));
        }
    }

    fn kill(&mut self, wire: usize) {
        if !std::mem::replace(&mut self.wires[wire].alive, false) {
            return;
        }
        for side in 0..2 {
            if self.lives[side] == self.wires[wire].lives[side] {
                self.wires[wire].notices[side].push_back(Notice::Closed);
            }
            let on_it = self.links[side].iter().filter(|(_, end)| end.connection == wire).map(|(number, _)| *number);
            on_it.collect::<Vec<_>>().into_iter().for_each(|number| self.finish(side, number));
        }
    }

    /// A side forgets everything. The other notices late: its connections hang until they are killed.
    fn restart(&mut self, side: usize) {
        self.lives[side] += 1;
        let local = self.peers[side];
        self.tables[side] = Peers::new(local);
        self.links[side].clear();
        self.over[side].clear();
        self.connected[side] = None;
        self.outstanding[side] = 0;
        self.redials[side] = 1;
        self.wires.iter_mut().for_each(|wire| wire.notices[side].clear());
        // What the other side holds does not know yet.
        self.dropped.borrow_mut().clear();
    }

    /// Connections to a life that is over time out.
    fn time_out(&mut self) -> bool {
        let lives = self.lives;
        let dead = (0..self.wires.len()).filter(|at| self.wires[*at].alive && self.wires[*at].lives != lives);
        let dead: Vec<usize> = dead.collect();
        dead.iter().for_each(|wire| self.kill(*wire));
        !dead.is_empty()
    }

    fn run(&mut self) {
        for _ in 0..TURNS {
            if !self.turn() && !self.time_out() {
                return;
            }
        }
        panic!("it does not come to rest");
    }
}

/// The number that `new_unchecked` was given.
fn number_of(connection: ConnectionId) -> usize {
    connection.to_string().parse().unwrap()
}

#[tokio::test]
async fn in_every_order_of_events_two_nodes_end_with_one_stream_that_both_name_alike() {
    let (mut contested, mut killed, mut restarted, mut crossed, mut moved) = (0, 0, 0, 0, 0);
    for seed in 1..=WORLDS {
        let mut world = World::new(seed);
        let (kills, restarts) = (world.kills, world.restarts);
        world.run();
        let told = (world.connected[0], world.connected[1]);
        let (Some((one, role)), Some((other, of_other))) = told else { panic!("seed {seed}: not connected: {told:?}") };
        assert_eq!(one, other, "seed {seed}: not the same stream");
        assert_eq!(role, of_other.other(), "seed {seed}: the roles do not fit");
        assert_eq!(world.links.each_ref().map(BTreeMap::len), [1, 1], "seed {seed}");
        assert_eq!(world.outstanding, [0, 0], "seed {seed}: a dial has no outcome");
        let carrier = world.links[0].values().map(|end| end.connection).next().unwrap();
        let straight = |wire: &Wire| wire.alive && !wire.relayed && !wire.failed && wire.lives == world.lives;
        let stays = world.wires[carrier].relayed && world.wires.iter().any(straight);
        assert!(!stays, "seed {seed}: over a relay although there is a straight connection");
        moved += usize::from(!world.wires[carrier].relayed && world.wires.iter().any(|wire| wire.relayed));
        contested += usize::from(world.streams > 1);
        killed += usize::from(kills > world.kills);
        restarted += usize::from(restarts > world.restarts);
        crossed += usize::from(world.wires.iter().any(|w| w.dialer == 0) && world.wires.iter().any(|w| w.dialer == 1));
    }
    // The worlds are worth running only if these happen.
    let often = [contested, killed, restarted, crossed, moved];
    for (what, often) in ["streams", "kills", "restarts", "crossed", "moved"].into_iter().zip(often) {
        assert!(often > usize::try_from(WORLDS).unwrap() / 10, "{what} in {often} of {WORLDS} worlds only");
    }
}

#[tokio::test]
async fn a_node_that_is_gone_is_forgotten() {
    for seed in 1..=200 {
        let mut world = World::new(seed);
        world.run();
        for side in 0..2 {
            let actions = world.tables[side].disconnect(world.peers[1 - side]);
            world.act(side, actions);
        }
        world.redials = [0; 2];
        for _ in 0..TURNS {
            world.redials = [0; 2];
            if !world.turn() && !world.time_out() {
                break;
            }
        }
        for table in &world.tables {
            assert!(table.nodes.is_empty(), "seed {seed}: {:?}", table.nodes);
        }
    }
}

fn table_with_connection() -> (Peers<()>, PeerId, ConnectionId) {
    let (local, peer, id) = (PeerId::new([1; 38]), PeerId::new([2; 38]), ConnectionId::new_unchecked(7));
    let mut table = Peers::new(local);
    let actions = table.connected(peer, id, Address::new("/ip4/127.0.0.1/tcp/1").unwrap());
    assert_eq!(actions, []);
    (table, peer, id)
}

#[tokio::test]
async fn dials_of_one_node_are_bounded() {
    let (mut table, peer, _) = table_with_connection();
    for number in 0..DIALS as u64 {
        table.dial(RequestId(number), peer, Vec::new());
    }
    let told = table.dial(RequestId(99), peer, Vec::new());
    let full = Event::DialFailed { request: RequestId(99), peer, reason: DialFailure::Full };
    assert_eq!(told, [Action::Tell(full)]);
}

fn place(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
}

#[tokio::test]
async fn a_dial_to_where_a_connection_is_being_made_waits_for_that_one() {
    let (peer, first) = (PeerId::new([2; 38]), ConnectionId::new_unchecked(1));
    let mut table: Peers<()> = Peers::new(PeerId::new([1; 38]));
    let dial = |table: &mut Peers<()>, number, port| table.dial(RequestId(number), peer, vec![place(port)]);
    let connects = |number, port| [Action::Connect { request: RequestId(number), peer, places: vec![place(port)] }];
    assert_eq!(dial(&mut table, 1, 1), connects(1, 1));
    table.dialling(RequestId(1), peer, first, vec![place(1)]);
    assert_eq!(dial(&mut table, 2, 1), []);
    assert_eq!(dial(&mut table, 3, 2), connects(3, 2), "elsewhere it may be sooner");
    let reason = DialFailure::Unreachable;
    let failed = |number| Action::Tell(Event::DialFailed { request: RequestId(number), peer, reason });
    assert_eq!(table.dial_failed(peer, first, reason), [failed(1), failed(2)]);
    assert_eq!(dial(&mut table, 4, 1), connects(4, 1), "nothing is left of it");
}

#[tokio::test]
async fn where_one_connection_opens_no_stream_the_other_is_asked() {
    let (mut table, peer, first) = table_with_connection();
    let second = ConnectionId::new_unchecked(8);
    table.connected(peer, second, Address::new("/ip4/127.0.0.1/tcp/1").unwrap());
    assert_eq!(table.dial(RequestId(1), peer, Vec::new()), [Action::Open { peer, connection: second }]);
    assert_eq!(table.connection_closed(peer, second), [Action::Open { peer, connection: first }]);
    let failed = Event::DialFailed { request: RequestId(1), peer, reason: DialFailure::NoStream };
    assert_eq!(table.open_failed(peer, first), [Action::Tell(failed)]);
}

#[tokio::test]
async fn hanging_up_answers_every_dial() {
    let (mut table, peer, connection) = table_with_connection();
    assert_eq!(table.dial(RequestId(1), peer, Vec::new()), [Action::Open { peer, connection }]);
    assert_eq!(table.dial(RequestId(2), peer, Vec::new()), []);
    let failed =
        |number| Action::Tell(Event::DialFailed { request: RequestId(number), peer, reason: DialFailure::Cancelled });
    assert_eq!(table.disconnect(peer), [failed(1), failed(2), Action::CloseAll { peer }]);
    assert_eq!(table.opened(peer, connection, Role::Dialer, (), Instant::now()), [], "too late");
}

#[tokio::test]
async fn d06_streams_opened_one_after_the_other_end_the_acquaintance() {
    let (mut table, peer, connection) = table_with_connection();
    let now = Instant::now();
    for _ in 0..OPENINGS {
        assert!(!table.opened(peer, connection, Role::Listener, (), now).contains(&Action::CloseAll { peer }));
        let stream = table.streams;
        table.ended(peer, stream);
    }
    assert!(table.opened(peer, connection, Role::Listener, (), now).contains(&Action::CloseAll { peer }));
    let (mut table, peer, connection) = table_with_connection();
    for round in 0..10 * OPENINGS {
        let later = now + OPENINGS_EACH * round;
        assert!(!table.opened(peer, connection, Role::Listener, (), later).contains(&Action::CloseAll { peer }));
    }
}

/// The table of a node, at the end that has asked for a stream on a connection to the other.
fn opened_by_us(local: u8, peer: u8) -> (Peers<&'static str>, PeerId, ConnectionId) {
    let (peer, id) = (PeerId::new([peer; 38]), ConnectionId::new_unchecked(7));
    let mut table = Peers::new(PeerId::new([local; 38]));
    table.connected(peer, id, Address::new("/ip4/127.0.0.1/tcp/1").unwrap());
    assert_eq!(table.dial(RequestId(1), peer, Vec::new()), [Action::Open { peer, connection: id }]);
    (table, peer, id)
}

fn starts(actions: &[Action<&'static str>]) -> Vec<&'static str> {
    actions.iter().filter_map(|action| if let Action::Start { io, .. } = action { Some(*io) } else { None }).collect()
}

#[tokio::test]
async fn of_two_streams_the_one_that_the_smaller_peer_opened_stays() {
    let now = Instant::now();
    // At the smaller one, theirs comes first: it waits for ours, and is dropped.
    let (mut table, peer, id) = opened_by_us(1, 2);
    assert_eq!(starts(&table.opened(peer, id, Role::Listener, "theirs", now)), [""; 0]);
    assert_eq!(starts(&table.opened(peer, id, Role::Dialer, "ours", now)), ["ours"]);
    // Ours comes first: theirs is dropped.
    let (mut table, peer, id) = opened_by_us(1, 2);
    assert_eq!(starts(&table.opened(peer, id, Role::Dialer, "ours", now)), ["ours"]);
    assert_eq!(table.opened(peer, id, Role::Listener, "theirs", now), []);
    // At the greater one, theirs comes first: ours is dropped.
    let (mut table, peer, id) = opened_by_us(2, 1);
    assert_eq!(starts(&table.opened(peer, id, Role::Listener, "theirs", now)), ["theirs"]);
    assert_eq!(table.opened(peer, id, Role::Dialer, "ours", now), []);
    // Ours comes first: it closes, and theirs takes its place when it is over.
    let (mut table, peer, id) = opened_by_us(2, 1);
    assert_eq!(starts(&table.opened(peer, id, Role::Dialer, "ours", now)), ["ours"]);
    let stream = table.streams;
    assert_eq!(table.opened(peer, id, Role::Listener, "theirs", now), [Action::Close { stream }]);
    assert_eq!(starts(&table.ended(peer, stream)), ["theirs"]);
}

#[tokio::test]
async fn a_peer_that_opens_again_has_lost_our_stream() {
    let now = Instant::now();
    let (mut table, peer, id) = opened_by_us(1, 2);
    table.opened(peer, id, Role::Dialer, "ours", now);
    let stream = table.streams;
    assert_eq!(table.opened(peer, id, Role::Listener, "at the same time", now), []);
    assert_eq!(table.opened(peer, id, Role::Listener, "again", now), [Action::Close { stream }]);
    assert_eq!(starts(&table.ended(peer, stream)), ["again"]);
}

#[tokio::test]
async fn their_stream_is_used_where_ours_is_not_to_be() {
    let now = Instant::now();
    let (mut table, peer, id) = opened_by_us(1, 2);
    table.opened(peer, id, Role::Listener, "theirs", now);
    assert_eq!(starts(&table.open_failed(peer, id)), ["theirs"]);
}

#[tokio::test]
async fn a_dial_that_found_a_dying_connection_makes_a_new_one() {
    let (mut table, peer, id) = table_with_connection();
    let places: Vec<Multiaddr> = vec!["/ip4/127.0.0.1/tcp/2".parse().unwrap()];
    table.dial(RequestId(1), peer, places.clone());
    assert_eq!(table.connection_closed(peer, id), [Action::Connect { request: RequestId(1), peer, places }]);
}

const STRAIGHT: &str = "/ip4/127.0.0.1/tcp/1";
const RELAYED: &str = "/p2p-circuit";

/// A table that has asked for a stream on a connection that it dialled, beside another one that came.
fn table_that_opens(local: PeerId, peer: PeerId, ours: &str, theirs: &str) -> (Peers<()>, ConnectionId, ConnectionId) {
    let (dialled, came) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
    let mut table = Peers::new(local);
    let request = RequestId(1);
    assert!(matches!(table.dial(request, peer, Vec::new())[..], [Action::Connect { .. }]));
    table.dialling(request, peer, dialled, Vec::new());
    let actions = table.connected(peer, dialled, Address::new(ours).unwrap());
    assert!(matches!(actions[..], [Action::Open { connection, .. }] if connection == dialled));
    assert_eq!(table.connected(peer, came, Address::new(theirs).unwrap()), []);
    (table, dialled, came)
}

#[tokio::test]
async fn of_a_straight_stream_and_one_over_a_relay_the_straight_one_stays_whoever_opened_it() {
    let (small, large) = (PeerId::new([1; 38]), PeerId::new([2; 38]));
    // The smaller one opens over a relay, and the other straight: the smaller takes the other's.
    let (mut table, relayed, straight) = table_that_opens(small, large, RELAYED, STRAIGHT);
    let actions = table.opened(large, straight, Role::Listener, (), Instant::now());
    assert!(matches!(actions[..], [Action::Tell(_), Action::Start { role: Role::Listener, .. }]), "{actions:?}");
    assert_eq!(table.opened(large, relayed, Role::Dialer, (), Instant::now()), [], "its own is not needed");
    // The larger one sees the same: its own straight stream stays, before and after it is open.
    let (mut table, straight, relayed) = table_that_opens(large, small, STRAIGHT, RELAYED);
    assert_eq!(table.opened(small, relayed, Role::Listener, (), Instant::now()), []);
    let actions = table.opened(small, straight, Role::Dialer, (), Instant::now());
    assert!(matches!(actions[..], [Action::Tell(_), Action::Start { role: Role::Dialer, .. }]), "{actions:?}");
    assert_eq!(table.opened(small, relayed, Role::Listener, (), Instant::now()), []);
    // But not for ever: who opens again has lost it.
    let actions = table.opened(small, relayed, Role::Listener, (), Instant::now());
    assert!(matches!(actions[..], [Action::Close { .. }]), "{actions:?}");
}
