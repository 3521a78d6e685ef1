use axum::http::StatusCode;
use kinfolk_engine::Imported;
use kinfolk_engine::input::Cargo;
use kinfolk_engine::store::Read;
use kinfolk_rpc::bundle as rpc;
use kinfolk_wire::carried::{self, Bundle, BundleError};

use super::contact::named;
use crate::problem::Refused;

/// What is to be carried.
pub(crate) fn cargo(read: &dyn Read, wish: &rpc::ExportBundle) -> Result<Cargo, Refused> {
    match (&wish.contact, wish.newest, wish.carried) {
        (Some(contact), false, false) => Ok(Cargo::Contact(named(read, contact)?.identity)),
        (Some(contact), true, false) => Ok(Cargo::Newest(named(read, contact)?.identity)),
        (None, false, false) => Ok(Cargo::Everything),
        (None, false, true) => Ok(Cargo::Others),
        _ => Err(Refused::invalid("invalid_bundle_wish", "newest goes with a contact, and carried with nothing else")),
    }
}

/// There is nothing to carry.
pub(crate) fn nothing(cargo: Cargo) -> Refused {
    let detail = match cargo {
        Cargo::Contact(_) => "nothing waits for this contact",
        Cargo::Newest(_) => "no message waits for this contact",
        Cargo::Everything => "nothing waits for any contact, and nothing is carried for others",
        Cargo::Others => "nothing is carried for others",
    };
    Refused::new(StatusCode::CONFLICT, "nothing_to_export", detail)
}

/// One message that no QR codes hold.
pub(crate) fn too_long_for_lines() -> Refused {
    let detail = "the message is too long for QR codes; export it as a file";
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long_for_qr", detail)
}

/// A bundle as a file or as lines.
pub(crate) fn read(bytes: &[u8]) -> Result<Bundle, Refused> {
    if !carried::is_lines(bytes) {
        return Ok(Bundle::decode(bytes)?);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BundleError::Foreign)?;
    Ok(Bundle::decode(&carried::from_lines(text)?)?)
}

impl From<BundleError> for Refused {
    fn from(error: BundleError) -> Self {
        let (status, code) = match &error {
            BundleError::Foreign => (StatusCode::UNPROCESSABLE_ENTITY, "not_a_bundle"),
            BundleError::Newer { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "newer_bundle"),
            BundleError::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            BundleError::Unreadable => (StatusCode::UNPROCESSABLE_ENTITY, "damaged_bundle"),
            BundleError::Line { .. } | BundleError::Mixed { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "bundle_line"),
            BundleError::Missing { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "bundle_lines_missing"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// Adds what became of a page.
pub(crate) const fn add(sum: &mut Imported, page: Imported) {
    sum.taken = sum.taken.saturating_add(page.taken);
    sum.known = sum.known.saturating_add(page.known);
    sum.carried = sum.carried.saturating_add(page.carried);
    sum.expired = sum.expired.saturating_add(page.expired);
    sum.damaged = sum.damaged.saturating_add(page.damaged);
}

/// What became of a bundle.
pub(crate) fn imported(sum: &Imported, damaged: u64, damage: &[(usize, usize)]) -> rpc::ImportedBundle {
    rpc::ImportedBundle {
        taken: sum.taken,
        known: sum.known,
        carried: sum.carried,
        damaged: sum.damaged.saturating_add(damaged),
        expired: sum.expired,
        damage: damage.iter().map(|(from, until)| rpc::Stretch { from: *from as u64, until: *until as u64 }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_and_the_wire_agree_on_what_a_bundle_is() {
        assert_eq!(rpc::LIMIT, carried::BUNDLE);
        assert_eq!(kinfolk_rpc::mailbox::BY_HAND, carried::BY_HAND.to_string());
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_code() {
        let code = |bytes: &[u8]| read(bytes).unwrap_err().code;
        assert_eq!(code(b"hello"), "not_a_bundle");
        assert_eq!(code(b"\x89kinfolk bundle\x02\xfd"), "newer_bundle");
        assert_eq!(code(b"\x89kinfolk bundle\x01\xfe"), "damaged_bundle");
        assert_eq!(code(b"kinfolk-bundle/1/x"), "bundle_line");
        assert_eq!(code(b"KINFOLK-BUNDLE/1/\xff"), "not_a_bundle");
    }
}
