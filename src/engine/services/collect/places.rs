//! What stands behind the tags that a host is asked for: envelopes of devices, and requests of those who come by an
//! invite.

use std::collections::BTreeMap;

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::invite::InviteSecret;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::ids::{DeviceId, InviteId, PeerId};
use kinfolk_wire::invite::Uses;

use crate::refusal::Refusal;
use crate::services::directory;
use crate::step::Step;
use crate::store::{Asked, InviteRow, Key};

/// How many requests by one invite can be left at one host on one day.
pub(crate) const fn request_places(uses: Uses) -> u64 {
    match uses {
        Uses::Once => 4,
        Uses::Many => 16,
    }
}

/// The keys of what others leave for this device.
pub(super) struct Keys {
    devices: BTreeMap<DeviceId, DirectionKey>,
    invites: BTreeMap<InviteId, DirectionKey>,
}

impl Keys {
    pub(super) fn of(step: &Step<'_>, asked: &[Asked]) -> Result<Self, Refusal> {
        let own = step.profile()?.device;
        let mut keys = Self { devices: BTreeMap::new(), invites: BTreeMap::new() };
        for asked in asked {
            match asked {
                Asked::Envelope(slot) if !keys.devices.contains_key(&slot.device) => {
                    let device = directory::readable_device(step, slot.device)?;
                    let root = device.and_then(|device| device.pair_root);
                    if let Some(root) = root.and_then(|root| PairRoot::from_bytes(root.as_slice()).ok()) {
                        keys.devices.insert(slot.device, root.direction_key(slot.device, own));
                    }
                }
                Asked::Request(place) if !keys.invites.contains_key(&place.invite) => {
                    let invite: Option<InviteRow> = step.find(&Key::Invite(place.invite))?;
                    let secret = invite.and_then(|invite| <[u8; 16]>::try_from(invite.secret.as_slice()).ok());
                    if let Some(secret) = secret {
                        keys.invites.insert(place.invite, InviteSecret::new(secret).requests_key());
                    }
                }
                Asked::Envelope(_) | Asked::Request(_) => {}
            }
        }
        Ok(keys)
    }

    /// Where something lies at a host, and its key; nothing where there is none any more.
    pub(super) fn slot(&self, asked: &Asked, host: PeerId) -> Option<(&DirectionKey, Slot)> {
        match asked {
            Asked::Envelope(slot) => {
                Some((self.devices.get(&slot.device)?, Slot { host, day: slot.day, number: slot.number }))
            }
            Asked::Request(place) => {
                Some((self.invites.get(&place.invite)?, Slot { host, day: place.day, number: place.place }))
            }
        }
    }
}
