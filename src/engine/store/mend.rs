//! What holds between rows, made to hold again where some of them are lost.
//!
//! A turn relies on it that a session which is listed is there, and finds the store inconsistent otherwise. After a
//! rescue that may not be so. What is mended is what this program can make good by itself: a session that is gone is
//! begun anew, as after any other that was lost.

use kinfolk_wire::time::Timestamp;

use super::{Alarm, Changes, Contact, Device, Key, Nothing, Read, ReadError, Record, Scan, Table};
use crate::event::MessagePlace;

/// The changes after which rows of a profile agree with one another, whichever of them are lost; none where they do.
///
/// # Errors
/// [`ReadError`].
pub fn mend(read: &dyn Read) -> Result<Changes, ReadError> {
    let mut changes = Changes::default();
    each(read, Table::Device, |key, mut device: Device| {
        let listed = device.sessions.len();
        device.sessions = present(read, device.sessions, |place| Key::Session(device.device, place.session))?;
        if device.sessions.len() < listed {
            changes.put(key, device.into());
        }
        Ok(())
    })?;
    each(read, Table::Contact, |key, mut contact: Contact| {
        let listed = contact.devices.len();
        contact.devices = present(read, contact.devices, |device| Key::Device(*device))?;
        if contact.devices.len() < listed {
            changes.put(key, contact.into());
        }
        Ok(())
    })?;
    each(read, Table::MessagePlace, |key, place: MessagePlace| {
        if read.get(&Key::Message(place.conversation, place.lamport, place.sender, place.id))?.is_none() {
            changes.delete(key);
        }
        Ok(())
    })?;
    let timers = read.scan(&Scan::all(Table::Timer, usize::MAX))?.rows;
    if !timers.iter().any(|(key, _)| matches!(key, Key::Timer(_, Alarm::Housekeeping))) {
        changes.put(Key::Timer(Timestamp::from_millis(0), Alarm::Housekeeping), Nothing {}.into());
    }
    Ok(changes)
}

fn each<R: Record>(
    read: &dyn Read,
    table: Table,
    mut visit: impl FnMut(Key, R) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    for (key, row) in read.scan(&Scan::all(table, usize::MAX))?.rows {
        R::of(row).map_or(Ok(()), |record| visit(key, record))?;
    }
    Ok(())
}

/// Those of which there is a row.
fn present<T>(read: &dyn Read, listed: Vec<T>, key: impl Fn(&T) -> Key) -> Result<Vec<T>, ReadError> {
    let mut present = Vec::with_capacity(listed.len());
    for one in listed {
        if read.get(&key(&one))?.is_some() {
            present.push(one);
        }
    }
    Ok(present)
}
