//! What the node says no with, as the door says it.

use axum::http::StatusCode;
use kinfolk_engine::query::ResolveError;
use kinfolk_engine::store::ReadError;
use kinfolk_node::{CommandError, Stopped};

use crate::problem::Refused;

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused { code, message } => Self::new(status(code), code, message),
            CommandError::Stopped => Stopped.into(),
        }
    }
}

impl From<Stopped> for Refused {
    fn from(stopped: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "node_stopped", stopped.to_string())
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        let code = match error {
            ReadError::Damaged { .. } => "store_damaged",
            ReadError::Disk(_) => "store_failed",
        };
        Self::new(status(code), code, error.to_string())
    }
}

impl From<ResolveError> for Refused {
    fn from(error: ResolveError) -> Self {
        let code = match error {
            ResolveError::Unknown(_) => "unknown_contact",
            ResolveError::Ambiguous { .. } => "ambiguous_contact",
            ResolveError::Store(error) => return error.into(),
        };
        Self::new(status(code), code, error.to_string())
    }
}

/// What the engine refused.
pub(super) fn refused(code: &'static str, message: String) -> Refused {
    Refused::new(status(code), code, message)
}

/// The HTTP status of a code.
fn status(code: &str) -> StatusCode {
    match code {
        "unknown_contact" | "unknown_chat" | "unknown_message" | "unknown_sticker" | "unknown_mailbox"
        | "unknown_currency" | "unknown_payment" | "unknown_invoice" | "unknown_tab" => StatusCode::NOT_FOUND,
        "ambiguous_contact"
        | "already_contact"
        | "id_taken"
        | "not_accepted"
        | "declined"
        | "blocked"
        | "not_asking"
        | "no_profile"
        | "not_serving"
        | "too_many_mailboxes"
        | "ambiguous_mailbox"
        | "ambiguous_currency"
        | "ambiguous_payment"
        | "ambiguous_invoice"
        | "invoice_paid"
        | "invoice_of_stranger"
        | "currency_not_accepted"
        | "code_taken"
        | "too_many_currencies"
        | "not_enough"
        | "account_unknown"
        | "account_frozen"
        | "account_behind"
        | "account_recovered"
        | "account_recovering"
        | "account_not_searched"
        | "not_recoverable"
        | "not_refundable"
        | "ambiguous_tab"
        | "no_tab_key"
        | "tab_not_final"
        | "tab_not_payer"
        | "tab_not_payee"
        | "tab_adopted"
        | "tab_over"
        | "tab_closed"
        | "tab_not_over"
        | "tab_nothing"
        | "certificate_over"
        | "issuer_unknown"
        | "issuer_no_merchant"
        | "no_card_money"
        | "not_registered"
        | "not_final" => StatusCode::CONFLICT,
        "invite_expired" | "invoice_expired" | "tab_expired" => StatusCode::GONE,
        "witness_silent" => StatusCode::GATEWAY_TIMEOUT,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
        "store_failed" | "store_damaged" | "store_inconsistent" | "no_randomness" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_the_callers_fault_and_a_broken_store_is_not() {
        for code in ["unknown_contact", "blocked", "invite_expired", "own_invite", "a_code_of_the_future"] {
            assert!(status(code).is_client_error(), "{code}");
        }
        for code in ["disk_full", "store_failed", "store_damaged", "no_randomness"] {
            assert!(status(code).is_server_error(), "{code}");
        }
    }

    #[test]
    fn an_ambiguous_name_lists_its_candidates() {
        let error = ResolveError::Ambiguous { text: "Bo".into(), candidates: vec!["x".into(), "y".into()] };
        let refused = Refused::from(error);
        assert_eq!((refused.status, refused.code), (StatusCode::CONFLICT, "ambiguous_contact"));
        assert_eq!(refused.detail, "\"Bo\" could be any of: x, y");
    }
}
