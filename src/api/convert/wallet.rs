use axum::http::StatusCode;
use kinfolk_engine::Refusal;
use kinfolk_engine::input::{NewCurrency, WitnessChoice};
use kinfolk_engine::query::{self, BalanceView, CurrencyView, PaymentView, WitnessView};
use kinfolk_engine::store::{MovementKind, Read, ReadError, RecoveryPhase, Stopped, Stuck};
use kinfolk_node::{Served, WitnessStatus};
use kinfolk_rpc::wallet as rpc;
use kinfolk_wire::content::{Text, TextError};
use kinfolk_wire::ids::{EntryHash, IdentityId, PeerId};

use super::contact::named;
use super::message::Names;
use crate::problem::Refused;

/// The least of an id that names a payment.
const LEAST: usize = 8;

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        super::refusal::refused(refusal.code(), refusal.to_string())
    }
}

/// What a currency is to be, and where its witnesses are.
pub(crate) fn wanted(
    read: &dyn Read,
    wish: rpc::CreateCurrency,
) -> Result<(NewCurrency, Vec<(String, PeerId)>), Refused> {
    let (mut choices, mut nodes) = (Vec::new(), Vec::new());
    for name in &wish.witnesses {
        let contact = if name == rpc::OWN { None } else { Some(named(read, name)?.identity) };
        let Some(peer) = query::witness_peer(read, contact)? else {
            return Err(Refusal::WitnessSilent(name.clone()).into());
        };
        choices.push(contact.map_or(WitnessChoice::Own, WitnessChoice::Contact));
        nodes.push((name.clone(), peer));
    }
    let rpc::CreateCurrency { code, decimals, max_supply, faults, .. } = wish;
    Ok((NewCurrency { code, decimals, witnesses: choices, faults, max_supply }, nodes))
}

/// A contact.
pub(crate) fn contact(read: &dyn Read, text: &str) -> Result<IdentityId, Refused> {
    Ok(named(read, text)?.identity)
}

/// What a payment is for.
pub(crate) fn memo(text: Option<String>) -> Result<Option<Text>, Refused> {
    let refused = |error: TextError| Refused::invalid("invalid_memo", error.to_string());
    text.map(|text| Text::new(text).map_err(refused)).transpose()
}

/// The payment that a text names: its entry, or the beginning of it.
pub(crate) fn entry(read: &dyn Read, text: &str) -> Result<EntryHash, Refused> {
    if let Ok(entry) = text.parse() {
        return Ok(entry);
    }
    let found = if text.len() >= LEAST { query::payments_named(read, text)? } else { Vec::new() };
    match found[..] {
        [one] => Ok(one),
        [] => Err(Refusal::UnknownPayment.into()),
        _ => Err(Refused::new(
            StatusCode::CONFLICT,
            "ambiguous_payment",
            format!("more than one payment begins with {text}; name more of it"),
        )),
    }
}

/// One payment.
pub(crate) fn one(read: &dyn Read, entry: EntryHash) -> Result<rpc::Payment, Refused> {
    let view = query::payment(read, entry)?.ok_or(Refusal::UnknownPayment)?;
    Ok(payment(&view, &mut Names::of(read)?)?)
}

/// The newest payments of a currency, or of all.
pub(crate) fn page(read: &dyn Read, of: Option<&str>, last: usize) -> Result<rpc::Payments, Refused> {
    let of = of.map(|which| query::currency(read, which)).transpose()?.map(|view| view.id);
    let mut names = Names::of(read)?;
    let found = query::payments(read, of, last)?;
    let payments = found.iter().map(|view| payment(view, &mut names)).collect::<Result<_, _>>()?;
    Ok(rpc::Payments { payments })
}

/// A payment for a face.
pub(crate) fn payment(view: &PaymentView, names: &mut Names<'_>) -> Result<rpc::Payment, ReadError> {
    let own = Some(names.own()?);
    let other = view.contact.as_ref().map(|(contact, _)| names.sender(*contact)).transpose()?;
    let (kind, from, to) = match view.kind {
        MovementKind::Paid => (rpc::PaymentKind::Paid, own, other),
        MovementKind::Received => (rpc::PaymentKind::Received, other, own),
        MovementKind::Refunded => (rpc::PaymentKind::Refunded, own, other),
        MovementKind::RefundReceived => (rpc::PaymentKind::RefundReceived, other, own),
        MovementKind::TabOpened => (rpc::PaymentKind::TabOpened, own, other),
        MovementKind::TabRedeemed => (rpc::PaymentKind::TabRedeemed, other, own),
        MovementKind::TabReturned => (rpc::PaymentKind::TabReturned, other, own),
        MovementKind::Minted if view.is_own => (rpc::PaymentKind::Minted, own.clone(), other.or(own)),
        MovementKind::Minted => (rpc::PaymentKind::Minted, other, own),
    };
    Ok(rpc::Payment {
        entry: view.entry.to_string(),
        at: view.at.as_millis(),
        kind,
        amount: query::amount_text(&view.policy, view.units),
        currency: view.currency.to_string(),
        code: view.policy.policy().code.to_string(),
        class: payment_class(view),
        card: (payment_class(view) == rpc::PaymentClass::Both).then(|| query::amount_text(&view.policy, view.card)),
        from,
        to,
        memo: view.memo.as_ref().map(|memo| memo.as_str().to_owned()),
        state: match view.state {
            query::PaymentState::Unwitnessed => rpc::PaymentState::Unwitnessed,
            query::PaymentState::Tab => rpc::PaymentState::Tab,
            query::PaymentState::Voting => rpc::PaymentState::Voting,
            query::PaymentState::Refused => rpc::PaymentState::Refused,
            query::PaymentState::Final => rpc::PaymentState::Final,
        },
        quorum: rpc::Votes { have: view.have, need: view.need },
        kept_back: view.kept_back.clone(),
        proof: view.proof.clone().map(hex),
        waits_for: view.waits_for.iter().map(witness).collect(),
        refund_of: view.refund_of.map(|entry| entry.to_string()),
        invoice: view.invoice.map(|invoice| invoice.to_string()),
        tab: view.tab.map(|tab| tab.to_string()),
    })
}

const fn payment_class(view: &PaymentView) -> rpc::PaymentClass {
    match view.card {
        0 => rpc::PaymentClass::Cash,
        card if card == view.units => rpc::PaymentClass::Card,
        _ => rpc::PaymentClass::Both,
    }
}

const fn class(is_card: bool) -> rpc::Class {
    if is_card { rpc::Class::Card } else { rpc::Class::Cash }
}

fn witness(view: &WitnessView) -> rpc::Witness {
    rpc::Witness {
        peer: view.peer.to_string(),
        key: view.vk.to_string(),
        name: view.name.as_ref().map(|name| name.as_str().to_owned()),
        display_name: view.name.as_ref().map(kinfolk_wire::name::Name::isolated),
        trouble: view.trouble.clone(),
    }
}

/// All currencies.
pub(crate) fn currencies(read: &dyn Read) -> Result<rpc::Currencies, Refused> {
    Ok(rpc::Currencies { currencies: query::currencies(read)?.iter().map(currency).collect() })
}

/// A currency for a face.
pub(crate) fn currency(view: &CurrencyView) -> rpc::Currency {
    let policy = view.policy.policy();
    let quorum = view.policy.quorum();
    rpc::Currency {
        currency: view.id.to_string(),
        code: policy.code.to_string(),
        decimals: policy.decimals,
        witnesses: view.witnesses.iter().map(witness).collect(),
        quorum: quorum.q(),
        faults: quorum.f(),
        max_supply: query::amount_text(&view.policy, policy.max_supply.units()),
        issuer: view.is_issuer,
        state: if view.is_accepted { rpc::CurrencyState::Accepted } else { rpc::CurrencyState::Offered },
        offered_by: view.offered_by.as_ref().map(|name| name.as_str().to_owned()),
        account: view.account.map(|account| account.to_string()),
        minted: view.supply.map(|(minted, _)| query::amount_text(&view.policy, minted)),
        unsearched: view.is_unsearched,
        stopped: view.stopped.as_ref().map(stopped),
        link: view.link.to_string(),
    }
}

fn hex(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stopped(stopped: &Stopped) -> rpc::Stopped {
    let reason = match stopped {
        Stopped::Forked(_) => "frozen",
        Stopped::Behind { .. } => "behind",
        Stopped::Recovered => "recovered",
        Stopped::Recovering => "recovering",
    };
    rpc::Stopped { reason: reason.to_owned(), proof: query::proof(stopped).map(hex) }
}

/// How far the bringing back of an account is.
pub(crate) fn recovery(read: &dyn Read, which: &str) -> Result<rpc::Recovery, Refused> {
    let Some(view) = query::recovery(read, which)? else {
        let detail = format!("no account in {which} is being brought back; `--words FILE` begins it");
        return Err(Refused::new(StatusCode::NOT_FOUND, "no_recovery", detail));
    };
    let stuck = view.stuck.map(|stuck| match stuck {
        Stuck::Undecided => "more witnesses must answer before it is known what was under way",
        Stuck::Frozen => "two entries were signed for one place, and it cannot be told which of them stands",
        Stuck::Broken => "the witnesses contradict one another: more of them are faulty than this currency bears",
        Stuck::Refused => "witnesses do not vote for what was under way; it is tried again",
        Stuck::Hidden => "no witness that answers shows the payment that was under way",
    });
    Ok(rpc::Recovery {
        currency: view.currency.to_string(),
        code: view.code.to_string(),
        state: match view.phase {
            RecoveryPhase::Searching => rpc::RecoveryState::Searching,
            RecoveryPhase::Taking => rpc::RecoveryState::Taking,
            RecoveryPhase::Done => rpc::RecoveryState::Done,
            RecoveryPhase::Nothing => rpc::RecoveryState::Nothing,
        },
        account: view.account.map(|account| account.to_string()),
        need: view.need,
        answered: view.answered.iter().map(witness).collect(),
        waits_for: view.waits_for.iter().map(witness).collect(),
        completed: view.completed,
        stuck: stuck.map(str::to_owned),
    })
}

/// What there is.
pub(crate) fn balances(read: &dyn Read) -> Result<rpc::Balances, Refused> {
    let balance = |view: &BalanceView| rpc::Balance {
        currency: view.currency.to_string(),
        code: view.policy.policy().code.to_string(),
        class: class(view.is_card),
        amount: query::amount_text(&view.policy, view.units),
        pending: query::amount_text(&view.policy, view.pending),
        at_risk: (view.at_risk > 0).then(|| query::amount_text(&view.policy, view.at_risk)),
    };
    Ok(rpc::Balances { balances: query::balances(read)?.iter().map(balance).collect() })
}

/// A payment that proves nothing yet.
pub(crate) fn not_final() -> Refused {
    let detail = "this payment is not final yet, and nothing proves it";
    Refused::new(StatusCode::CONFLICT, "not_final", detail)
}

/// A node as a witness; one that has never been asked to be one witnesses nothing.
pub(crate) fn witness_status(status: Option<&WitnessStatus>) -> rpc::WitnessStatus {
    let served = |served: &Served| rpc::Witnessed {
        currency: served.currency.to_string(),
        code: served.code.to_string(),
        place: served.place,
        witnesses: served.witnesses,
        quorum: served.quorum,
        broken: served.broken,
    };
    rpc::WitnessStatus {
        key: status.and_then(|status| status.vk).map(|vk| vk.to_string()),
        currencies: status.map(|status| status.currencies.iter().map(served).collect()).unwrap_or_default(),
        accounts: status.map_or(0, |status| status.accounts),
        entries: status.map_or(0, |status| status.entries),
        votes: status.map_or(0, |status| status.votes),
        conflicts: status.map_or(0, |status| status.conflicts),
        put_off: status.map_or(0, |status| status.refused),
        log_bytes: status.map_or(0, |status| status.log_bytes),
        compacted: status.and_then(|status| status.compacted).map(|compacted| rpc::LogCompacted {
            at: compacted.at.as_millis(),
            before_bytes: compacted.before,
            after_bytes: compacted.after,
            dropped: compacted.dropped,
        }),
        stopped: status.and_then(|status| status.stopped.clone()),
    }
}
