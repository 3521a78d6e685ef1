//! A line on which everything takes its time: a tunnel (VXLAN) whose two ends meet in a namespace of their own, where a
//! program hands each packet on when it has been on the way for long enough. It stands in for `tc netem`, which many
//! kernels are built without.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::space::Space;

/// Where tunnels end.
const PORT: u16 = 4_789;
/// How often a thread looks whether the line still stands.
const LOOK: Duration = Duration::from_millis(100);
/// Packets on the way in one direction, beyond which more are lost.
const ON_THE_WAY: usize = 4_096;
/// The largest packet, in bytes.
const PACKET: usize = 2_048;

/// A slow line. It is cut when it is dropped.
#[derive(Debug)]
pub(crate) struct SlowLine {
    cut: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<()>>,
    _middle: Space,
}

impl Drop for SlowLine {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::Relaxed);
        for carrier in self.carriers.drain(..) {
            carrier.join().ok();
        }
    }
}

impl SlowLine {
    /// Line `number` of an internet, between the interface `own` of one namespace and `others` of the other, on which a packet is on the way
    /// for so long in either direction.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new(number: u8, one: (&Space, &str), other: (&Space, &str), takes: Duration) -> Result<Self, String> {
        let middle = Space::new()?;
        let mut ends = Vec::new();
        for (side, (space, name)) in [(0, one), (1, other)] {
            let [here, end] = [1, 2].map(|last| Ipv4Addr::new(169, 254, number, side * 4 + last));
            let under = format!("u-{name}");
            space.cable(&under, &middle, &format!("end{side}"))?;
            space.ip(&format!("address add {here}/30 dev {under}"))?;
            middle.ip(&format!("address add {end}/30 dev end{side}"))?;
            space.ip(&format!(
                "link add {name} type vxlan id {number} local {here} remote {end} dstport {PORT} nolearning"
            ))?;
            // One packet at a time, and none that the system would have to cut up later.
            space.ip(&format!("link set {name} mtu 1500 gso_max_segs 1 up"))?;
            ends.push((middle.socket(SocketAddrV4::new(end, PORT))?, SocketAddrV4::new(here, PORT)));
        }
        let cut = Arc::new(AtomicBool::new(false));
        let mut carriers = Vec::new();
        for (from, (to, there)) in [(&ends[0].0, &ends[1]), (&ends[1].0, &ends[0])] {
            let (from, to) = (from.try_clone(), to.try_clone());
            let (from, to) = from.and_then(|from| Ok((from, to?))).map_err(|error| error.to_string())?;
            from.set_read_timeout(Some(LOOK)).map_err(|error| error.to_string())?;
            let (put, take) = sync_channel(ON_THE_WAY);
            let (cut, there) = (Arc::clone(&cut), *there);
            carriers.push(std::thread::spawn(move || take_in(&from, &put, takes, &cut)));
            carriers.push(std::thread::spawn(move || hand_on(&to, there, &take)));
        }
        Ok(Self { cut, carriers, _middle: middle })
    }
}

/// A packet, and when it is due at the other end.
type OnTheWay = (Instant, Vec<u8>);

fn take_in(from: &UdpSocket, put: &SyncSender<OnTheWay>, takes: Duration, cut: &AtomicBool) {
    let mut packet = [0; PACKET];
    while !cut.load(Ordering::Relaxed) {
        match from.recv(&mut packet) {
            Ok(length) => {
                let mut packet = packet[..length].to_vec();
                sum_up(&mut packet);
                // Where too many are on the way already this one is lost, as on any line.
                drop(put.try_send((Instant::now() + takes, packet)));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // An earlier packet found nobody at home.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(_) => return,
        }
    }
}

fn hand_on(to: &UdpSocket, there: SocketAddrV4, take: &Receiver<OnTheWay>) {
    // Nobody speaks on this channel: waiting on it is waiting for a moment.
    let (_quiet, moment) = sync_channel::<()>(0);
    while let Ok((due, packet)) = take.recv() {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || moment.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            to.send_to(&packet, there).ok();
        }
    }
}

/// Writes the checksum of what is in a tunnelled packet. The system leaves that to the hardware, which is us.
fn sum_up(packet: &mut [u8]) {
    const ENVELOPE: usize = 8 + 14;
    let Some(ip) = packet.get_mut(ENVELOPE..).filter(|ip| ip.len() >= 20 && ip[0] >> 4 == 4) else { return };
    let head = usize::from(ip[0] & 15) * 4;
    let at = match ip[9] {
        6 => 16,
        17 => 6,
        _ => return,
    };
    let end = ip.len().min(usize::from(u16::from_be_bytes([ip[2], ip[3]])));
    if end < head + at + 2 {
        return;
    }
    ip[head + at..head + at + 2].fill(0);
    let length = u32::try_from(end - head).unwrap();
    let mut sum = u32::from(ip[9]) + length;
    for pair in ip[12..20].chunks(2).chain(ip[head..end].chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).unwrap();
    // Of UDP, 0 would say that there is none.
    ip[head + at..head + at + 2].copy_from_slice(&if sum == 0 { 0xffff_u16 } else { sum }.to_be_bytes());
}
