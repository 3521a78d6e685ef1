//! Making a currency, taking one, and telling contacts of it.

use std::collections::BTreeSet;

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Code, LoadedPolicy, Policy, SignedPolicy, Witness};
use kinfolk_ledger::quorum::WITNESSES;
use kinfolk_wire::content::{Body, CurrencyCard, Reach};
use kinfolk_wire::ids::{CurrencyId, DeviceId, IdentityId, PeerId};

use super::book::{Book, loaded, secret};
use crate::effect::{Effect, RequestId};
use crate::event::Event;
use crate::input::WitnessChoice;
use crate::query;
use crate::refusal::Refusal;
use crate::services::errands::Group;
use crate::services::{directory, outbox};
use crate::step::{Rejection, Step};
use crate::store::{
    Currency, CurrencyStanding, Device, Inquiry, Key, KeyMaterial, Listening, Read, ReadError, Row, Scan, Table,
    WitnessKey,
};

/// Currencies that a person takes.
pub(crate) const TAKEN: usize = 128;
/// Currencies that contacts told of and that are not taken: of all, and of one.
pub(crate) const OFFERED: usize = 128;
const OFFERED_BY_ONE: usize = 8;
const CURRENCIES: usize = TAKEN + OFFERED;

/// What a new currency is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCurrency {
    /// 1 to 8 capital letters and digits.
    pub code: String,
    /// Digits after the point, 0 to 9.
    pub decimals: u8,
    /// Who witnesses.
    pub witnesses: Vec<WitnessChoice>,
    /// How many of them may be faulty; as many as they bear where nothing is said.
    pub faults: Option<u8>,
    /// The most that may be in circulation, as people write it.
    pub max_supply: Option<String>,
}

/// Asks nodes with which keys they will vote.
pub(crate) fn ask_keys(step: &mut Step<'_>, choices: &[WitnessChoice]) -> Result<(), Refusal> {
    for choice in choices {
        let Reach { peer, addresses } = reach(step, *choice)?;
        let request = step.next_request()?;
        step.put(Key::Inquiry(request), Inquiry::Key { peer });
        step.put(Key::WitnessKey(peer), WitnessKey { vk: None, failed: false });
        let group = Group::of(&step.random()).0;
        let body = Request::Witness.encode();
        step.effect(Effect::Inquire { request: RequestId(request), host: peer, addresses, group, body });
    }
    Ok(())
}

/// A node has said with which key it votes, or has not.
pub(super) fn key_came(step: &mut Step<'_>, peer: PeerId, reply: Option<Reply>) -> Result<(), Refusal> {
    let vk = match reply {
        Some(Reply::Witness { vk }) => Some(vk),
        _ => None,
    };
    step.put(Key::WitnessKey(peer), WitnessKey { vk, failed: vk.is_none() });
    step.mention(Event::WitnessAnswered(peer));
    Ok(())
}

/// Makes a currency. The keys of its witnesses must have been asked for.
pub(crate) fn create(step: &mut Step<'_>, new: &NewCurrency) -> Result<CurrencyId, Refusal> {
    let code = Code::new(&new.code).map_err(|error| Refusal::Ledger(error.to_string()))?;
    check_code_is_free(step, code)?;
    let (witnesses, reaches) = witnesses(step, &new.witnesses)?;
    let max_supply = match &new.max_supply {
        Some(text) => amount(text, new.decimals)?,
        None => Amount::MAX,
    };
    let issuer = KeyMaterial::new(&step.random::<32>());
    let key = secret(&issuer);
    let first = Policy::first(key.vk(), code, new.decimals, witnesses);
    let f = new.faults.unwrap_or(first.f);
    let policy = Policy { f, max_supply, ..first }.sign(&key);
    let policy = policy.load().map_err(|error| Refusal::Ledger(error.to_string()))?;
    keep(step, &policy, reaches, Some(issuer))?;
    let currency: Currency = step.find(&Key::Currency(policy.currency()))?.ok_or_else(Refusal::no_such_currency)?;
    tell_witnesses(step, &currency, &new.witnesses)?;
    Ok(policy.currency())
}

/// An amount that somebody wrote.
pub(super) fn amount(text: &str, decimals: u8) -> Result<Amount, Refusal> {
    Amount::from_text(text, decimals).map_err(Refusal::Amount)
}

fn witnesses(step: &Step<'_>, choices: &[WitnessChoice]) -> Result<(Vec<Witness>, Vec<Reach>), Refusal> {
    if choices.is_empty() || choices.len() > WITNESSES {
        return Err(Refusal::Witnesses { found: choices.len(), limit: WITNESSES });
    }
    let (mut witnesses, mut reaches, mut keys) = (Vec::new(), Vec::new(), BTreeSet::new());
    for choice in choices {
        let reach = reach(step, *choice)?;
        let answered: Option<WitnessKey> = step.find(&Key::WitnessKey(reach.peer))?;
        let Some(vk) = answered.and_then(|answered| answered.vk) else {
            return Err(Refusal::WitnessSilent(name(step, *choice)?));
        };
        if !keys.insert(vk) {
            return Err(Refusal::WitnessTwice(name(step, *choice)?));
        }
        witnesses.push(Witness { vk, peer_id: reach.peer });
        reaches.push(reach);
    }
    Ok((witnesses, reaches))
}

fn name(step: &Step<'_>, choice: WitnessChoice) -> Result<String, Refusal> {
    match choice {
        WitnessChoice::Own => Ok(step.profile()?.name.to_string()),
        WitnessChoice::Contact(identity) => Ok(directory::contact(step, identity)?.name.to_string()),
    }
}

/// Where a witness is.
fn reach(step: &Step<'_>, choice: WitnessChoice) -> Result<Reach, Refusal> {
    match choice {
        WitnessChoice::Own => {
            let listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
            let addresses = listening.addresses.into_iter().take(kinfolk_wire::limits::ADDRESSES).collect();
            Ok(Reach { peer: step.profile()?.peer, addresses })
        }
        WitnessChoice::Contact(identity) => {
            let contact = directory::contact(step, identity)?;
            if !directory::is_open(&contact) {
                return Err(Refusal::NotAccepted(contact.name.to_string()));
            }
            for device in contact.devices {
                let device = directory::device(step, device)?;
                if let Some(peer) = device.peer {
                    return Ok(Reach { peer, addresses: device.addresses });
                }
            }
            Err(Refusal::WitnessSilent(contact.name.to_string()))
        }
    }
}

/// Where a witness of a currency may be: what is known of it as a contact's node, and what the currency's link said.
pub(super) fn whereabouts(read: &dyn Read, currency: &Currency, peer: PeerId) -> Result<Reach, ReadError> {
    let of_contact = match query::find::<DeviceId>(read, &Key::Peer(peer))? {
        Some(device) => query::find::<Device>(read, &Key::Device(device))?.map(|device| device.addresses),
        None => None,
    };
    let of_link = currency.witnesses.iter().filter(|reach| reach.peer == peer).flat_map(|reach| &reach.addresses);
    let mut addresses = of_contact.unwrap_or_default();
    for address in of_link {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    addresses.truncate(kinfolk_wire::limits::ADDRESSES);
    Ok(Reach { peer, addresses })
}

/// The contacts who are witnesses are told of the currency.
fn tell_witnesses(step: &mut Step<'_>, currency: &Currency, choices: &[WitnessChoice]) -> Result<(), Refusal> {
    for choice in choices {
        if let WitnessChoice::Contact(contact) = choice {
            let card = card(&step.reads(), currency)?;
            say(step, *contact, &Body::Currency(card))?;
        }
    }
    Ok(())
}

/// What a link to a currency says.
pub(crate) fn card(read: &dyn Read, currency: &Currency) -> Result<CurrencyCard, ReadError> {
    let peers = currency.policy.policy.witnesses.iter().map(|witness| witness.peer_id);
    let witnesses = peers.map(|peer| whereabouts(read, currency, peer)).collect::<Result<_, _>>()?;
    Ok(CurrencyCard { policy: currency.policy.encode(), witnesses })
}

/// Says something that is no line to all devices of a contact.
pub(crate) fn say(step: &mut Step<'_>, to: IdentityId, body: &Body) -> Result<(), Refusal> {
    let own = step.profile()?.identity;
    let content = outbox::aside(step, own, to, body.clone());
    for device in directory::contact(step, to)?.devices {
        outbox::queue(step, device, &content, None)?;
    }
    Ok(())
}

fn keep(
    step: &mut Step<'_>,
    policy: &LoadedPolicy,
    witnesses: Vec<Reach>,
    issuer: Option<KeyMaterial>,
) -> Result<(), Refusal> {
    let id = policy.currency();
    let taken = all(&step.reads())?.iter().filter(|(_, known)| known.standing == CurrencyStanding::Accepted).count();
    if taken >= TAKEN {
        return Err(Refusal::TooManyCurrencies { limit: TAKEN });
    }
    if !step.has(&Key::Account(id))? {
        let account = Book::begin(step, policy, issuer.as_ref())?;
        step.put(Key::Account(id), account);
    }
    let standing = CurrencyStanding::Accepted;
    step.put(Key::Currency(id), Currency { policy: Box::new(policy.signed()), witnesses, standing, issuer });
    step.emit(Event::CurrencyChanged(id))
}

/// Takes a currency: by its link, or by the code or id of one that a contact told of.
pub(crate) fn accept(step: &mut Step<'_>, which: &str) -> Result<CurrencyId, Refusal> {
    if let Ok(id) = find(&step.reads(), which) {
        let currency: Currency = step.find(&Key::Currency(id))?.ok_or_else(Refusal::no_such_currency)?;
        if matches!(currency.standing, CurrencyStanding::Offered(_)) {
            let policy = loaded(&currency)?;
            check_code_is_free(step, policy.policy().code)?;
            keep(step, &policy, currency.witnesses, None)?;
        }
        return Ok(id);
    }
    if !which.trim().starts_with(kinfolk_wire::content::CURRENCY_SCHEME) {
        return Err(Refusal::UnknownCurrency(which.to_owned()));
    }
    let card: CurrencyCard = which.parse().map_err(Refusal::CurrencyLink)?;
    let policy = read_policy(&card)?;
    let known: Option<Currency> = step.find(&Key::Currency(policy.currency()))?;
    if known.as_ref().is_some_and(|known| known.standing == CurrencyStanding::Accepted) {
        return Ok(policy.currency());
    }
    check_code_is_free(step, policy.policy().code)?;
    keep(step, &policy, card.witnesses, None)?;
    Ok(policy.currency())
}

pub(crate) fn read_policy(card: &CurrencyCard) -> Result<LoadedPolicy, Refusal> {
    let signed = SignedPolicy::decode(&card.policy).map_err(|error| Refusal::Ledger(error.to_string()))?;
    signed.load().map_err(|error| Refusal::Ledger(error.to_string()))
}

/// A contact tells of a currency.
pub(crate) fn heard(step: &mut Step<'_>, from: IdentityId, card: &CurrencyCard) -> Result<(), Refusal> {
    let Ok(policy) = read_policy(card) else {
        step.reject(Rejection::Malformed);
        return Ok(());
    };
    let id = policy.currency();
    if step.has(&Key::Currency(id))? {
        return Ok(());
    }
    let standing = CurrencyStanding::Offered(from);
    let offered: Vec<CurrencyStanding> = all(&step.reads())?
        .into_iter()
        .map(|(_, currency)| currency.standing)
        .filter(|standing| *standing != CurrencyStanding::Accepted)
        .collect();
    let of_theirs = offered.iter().filter(|known| **known == standing).count();
    if offered.len() >= OFFERED || of_theirs >= OFFERED_BY_ONE {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let witnesses = card.witnesses.clone();
    step.put(Key::Currency(id), Currency { policy: Box::new(policy.signed()), witnesses, standing, issuer: None });
    step.emit(Event::CurrencyChanged(id))
}

/// All currencies that this person has heard of.
pub(crate) fn all(read: &dyn Read) -> Result<Vec<(CurrencyId, Currency)>, ReadError> {
    let rows = read.scan(&Scan::all(Table::Currency, CURRENCIES))?.rows;
    Ok(rows
        .into_iter()
        .filter_map(|(key, row)| match (key, row) {
            (Key::Currency(id), Row::Currency(currency)) => Some((id, currency)),
            _ => None,
        })
        .collect())
}

/// The currency that somebody means: by its code, or by the beginning of its id where two share a code.
pub(crate) fn find(read: &dyn Read, which: &str) -> Result<CurrencyId, Refusal> {
    let which = which.trim();
    let known = all(read)?;
    let with_code = |accepted: bool| -> Vec<CurrencyId> {
        let same = known.iter().filter(|(_, currency)| {
            currency.policy.policy.code.to_string() == which.to_ascii_uppercase()
                && (!accepted || currency.standing == CurrencyStanding::Accepted)
        });
        same.map(|(id, _)| *id).collect()
    };
    let with_id = || -> Vec<CurrencyId> {
        let begins = known.iter().filter(|(id, _)| which.len() >= 8 && id.to_string().starts_with(which));
        begins.map(|(id, _)| *id).collect()
    };
    for found in [with_code(true), with_code(false), with_id()] {
        match found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => return Err(Refusal::AmbiguousCurrency(which.to_owned())),
        }
    }
    Err(Refusal::UnknownCurrency(which.to_owned()))
}

/// Nobody takes two currencies with one code: they would be taken for each other.
fn check_code_is_free(step: &Step<'_>, code: Code) -> Result<(), Refusal> {
    let taken = all(&step.reads())?
        .into_iter()
        .any(|(_, currency)| currency.standing == CurrencyStanding::Accepted && currency.policy.policy.code == code);
    if taken { Err(Refusal::CodeTaken(code.to_string())) } else { Ok(()) }
}
