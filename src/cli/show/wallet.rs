use kinfolk_rpc::wallet::{
    Balance, Class, Currency, CurrencyState, Payment, PaymentClass, PaymentKind, PaymentState, Recovery, RecoveryState,
    Witness, WitnessStatus,
};
use serde::Serialize;

use super::mailbox::short_peer;
use super::short;
use super::text::contained;
use super::time::moment;
use crate::receipt::VerifiedReceipt;

/// A receipt that was written.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    pub(crate) file: String,
    pub(crate) bytes: usize,
}

/// A receipt that was verified.
pub(crate) fn verified(receipt: &VerifiedReceipt) -> String {
    let mut page = format!("Genuine: final by {} of {} votes that are needed.\n", receipt.votes, receipt.quorum);
    for output in &receipt.outputs {
        page.push_str(&format!("  {} {} to account {}\n", output.amount, receipt.code, output.to));
    }
    page.push_str(&format!("  from account {}\n", receipt.from));
    if let Some(memo) = &receipt.memo {
        page.push_str(&format!("  for: {}\n", contained(memo)));
    }
    page.push_str(&format!(
        "  currency {} ({}), issued by {}\n  entry {}\n",
        receipt.currency, receipt.code, receipt.issuer, receipt.entry
    ));
    page.push_str("Compare the currency with the one you take: two may have one code.\n");
    page
}

/// What there is.
pub(crate) fn balances(balances: &[Balance]) -> String {
    if balances.is_empty() {
        return "You take no currency yet: kinfolk wallet currency accept LINK, or make one with currency create.\n"
            .to_owned();
    }
    let width = balances.iter().map(|balance| balance.amount.len()).max().unwrap_or_default();
    balances
        .iter()
        .map(|balance| {
            let class = match balance.class {
                Class::Cash => "",
                Class::Card => "  card money",
            };
            let pending = if balance.pending.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
                String::new()
            } else {
                format!("  ({} on its way, not final)", balance.pending)
            };
            let at_risk =
                balance.at_risk.as_ref().map(|at_risk| format!("  ({at_risk} came without witnesses, at risk)"));
            let at_risk = at_risk.unwrap_or_default();
            format!("{:>width$} {}{class}{pending}{at_risk}\n", balance.amount, balance.code)
        })
        .collect()
}

/// A currency that was made.
pub(crate) fn created(made: &Currency) -> String {
    format!(
        "{} is made: {} of its {} witnesses make a payment final.\n\
         Each of them begins with: kinfolk witness serve {}\n\
         Whoever is to use it gets this link:\n{}\n",
        made.code,
        made.quorum,
        made.witnesses.len(),
        made.code,
        made.link
    )
}

/// A currency that was taken.
pub(crate) fn taken(taken: &Currency) -> String {
    let code = &taken.code;
    if taken.unsearched {
        return format!(
            "You take {code}. You may have money in it from before: kinfolk wallet recover {code} --words FILE looks for it."
        );
    }
    format!("You take {code}. Contacts who take it too can pay you.")
}

/// Currencies, one a line.
pub(crate) fn currencies(known: &[Currency]) -> String {
    if known.is_empty() {
        return "None yet. Make one with kinfolk wallet currency create, or take one with its link.\n".to_owned();
    }
    known
        .iter()
        .map(|currency| {
            let how = match (currency.state, currency.issuer, &currency.offered_by) {
                (CurrencyState::Accepted, true, _) => "yours".to_owned(),
                (CurrencyState::Accepted, false, _) => "taken".to_owned(),
                (CurrencyState::Offered, _, Some(name)) => format!("offered by {}", contained(name)),
                (CurrencyState::Offered, _, None) => "offered".to_owned(),
            };
            let (id, quorum, all) = (short(&currency.currency), currency.quorum, currency.witnesses.len());
            format!("{:8}  {id}  {quorum} of {all} witnesses  {how}\n", currency.code)
        })
        .collect()
}

/// One currency.
pub(crate) fn currency(shown: &Currency) -> String {
    let mut page = format!(
        "{} ({})\n  decimals    {}\n  final by    {} of {} witnesses, of which {} may fail or lie\n  at most     {}\n",
        shown.code,
        shown.currency,
        shown.decimals,
        shown.quorum,
        shown.witnesses.len(),
        shown.faults,
        shown.max_supply
    );
    if let Some(minted) = &shown.minted {
        page.push_str(&format!("  minted      {minted}\n"));
    }
    for one in &shown.witnesses {
        page.push_str(&format!("  witness     {}\n", witness_line(one)));
    }
    if let Some(stopped) = &shown.stopped {
        page.push_str(&format!("  your account is {}: nothing more can be paid from it here\n", stopped.reason));
        if let Some(proof) = &stopped.proof {
            page.push_str(&format!("  the proof   {proof}\n"));
        }
    }
    page.push_str(&format!("Whoever is to use it gets this link:\n{}\n", shown.link));
    page
}

fn witness_line(witness: &Witness) -> String {
    let name = witness.display_name.as_deref().unwrap_or("nobody you know");
    let trouble = witness.trouble.as_ref().map(|trouble| format!(" {}", contained(trouble))).unwrap_or_default();
    format!("{} {name}{trouble}", short_peer(&witness.peer))
}

/// How far the bringing back of an account is.
pub(crate) fn recovery(recovery: &Recovery) -> String {
    let code = &recovery.code;
    match recovery.state {
        RecoveryState::Done => {
            let completed = match recovery.completed {
                0 => String::new(),
                1 => " One payment of the lost phone was under way, and is made now.".to_owned(),
                several => format!(" {several} payments of the lost phone were under way, and are made now."),
            };
            format!(
                "Your account in {code} is back, under a new key that the lost phone does not have.{completed}\n\
                 Money that came and was not used yet comes back with its receipt: ask who paid it."
            )
        }
        RecoveryState::Nothing => {
            format!("The witnesses of {code} know no account of these words; you have a new one.")
        }
        RecoveryState::Searching => format!("Looking for your account in {code}: {}.", answers(recovery)),
        RecoveryState::Taking => {
            format!("Your account in {code} is there, its key is exchanged: {}.", answers(recovery))
        }
    }
}

/// Why it is not done, and what becomes of it.
pub(crate) fn recovery_waits(recovery: &Recovery) -> String {
    let code = &recovery.code;
    format!(
        "{}. It goes on by itself when they answer; `kinfolk wallet recover {code}` shows how far it is",
        recovery.stuck.clone().unwrap_or_else(|| answers(recovery))
    )
}

fn answers(recovery: &Recovery) -> String {
    let (answered, away) = (recovery.answered.len(), &recovery.waits_for);
    let names: Vec<String> = away.iter().map(trouble_of).collect();
    let asked = answered.saturating_add(away.len());
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join("; ")) };
    format!("{answered} of {asked} witnesses answer, {} are needed{names}", recovery.need)
}

fn trouble_of(one: &Witness) -> String {
    let name = one.name.clone().unwrap_or_else(|| short_peer(&one.peer).to_owned());
    format!("{name} {}", one.trouble.as_deref().unwrap_or("has not answered yet"))
}

/// Something that was signed.
pub(crate) fn signed(payment: &Payment) -> String {
    let (amount, code) = (&payment.amount, &payment.code);
    let to = payment.to.as_ref().map_or_else(|| "an account".to_owned(), |to| to.display_name.clone());
    let done = match payment.kind {
        PaymentKind::Minted => format!("{amount} {code} made for {to}"),
        PaymentKind::Refunded => format!("{amount} {code} paid back to {to}"),
        _ => format!("{amount} {code} paid to {to}"),
    };
    match payment.state {
        PaymentState::Final => format!("{done}: final. (entry {})", short(&payment.entry)),
        PaymentState::Tab => {
            let tab = payment.tab.as_deref().map(short).unwrap_or_default();
            format!("{done} from tab {tab}: theirs for certain. (entry {})", short(&payment.entry))
        }
        PaymentState::Unwitnessed | PaymentState::Voting | PaymentState::Refused => {
            format!("{done}: {}. (entry {})", progress(payment), short(&payment.entry))
        }
    }
}

/// Why a payment is not final, and what becomes of it.
pub(crate) fn waits(payment: &Payment) -> String {
    let names: Vec<String> = payment.waits_for.iter().map(trouble_of).collect();
    let whose = match (payment.state, &payment.kept_back) {
        (PaymentState::Unwitnessed, _) => " Whom you pay has it meanwhile, and sees it as at risk.".to_owned(),
        (_, Some(why)) => format!(" Whom you pay does not have it before: {why}."),
        _ => String::new(),
    };
    format!(
        "the payment has {} of {} votes: {}. It is kept, and becomes final when they answer; do not pay again.{whose}",
        payment.quorum.have,
        payment.quorum.need,
        names.join("; ")
    )
}

fn progress(payment: &Payment) -> String {
    match payment.state {
        PaymentState::Final => "final".to_owned(),
        PaymentState::Tab => "by tab, for certain, and to be redeemed".to_owned(),
        PaymentState::Unwitnessed => {
            format!("at risk: unwitnessed, {} of {} votes", payment.quorum.have, payment.quorum.need)
        }
        PaymentState::Voting => match &payment.kept_back {
            Some(why) => {
                format!("{} of {} votes, and not handed over yet: {why}", payment.quorum.have, payment.quorum.need)
            }
            None => format!("{} of {} votes", payment.quorum.have, payment.quorum.need),
        },
        PaymentState::Refused if payment.proof.is_some() => {
            "lost: its payer signed another payment for the same place; the proof is in --json".to_owned()
        }
        PaymentState::Refused => match payment.kind {
            PaymentKind::Received => "lost: another entry stands in its place".to_owned(),
            _ => "refused by its witnesses; what each of them says is in --json".to_owned(),
        },
    }
}

/// Payments, one a line.
pub(crate) fn history(payments: &[Payment]) -> String {
    if payments.is_empty() {
        return "Nothing was paid yet.\n".to_owned();
    }
    payments.iter().map(|payment| format!("{}\n", line(payment))).collect()
}

/// A payment in one line.
pub(crate) fn line(payment: &Payment) -> String {
    let name = |who: &Option<kinfolk_rpc::message::Sender>| {
        who.as_ref().map_or_else(|| "somebody".to_owned(), |who| who.display_name.clone())
    };
    let what = match payment.kind {
        PaymentKind::Paid => format!("paid to {}", name(&payment.to)),
        PaymentKind::Received => format!("came from {}", name(&payment.from)),
        PaymentKind::Minted => format!("made for {}", name(&payment.to)),
        PaymentKind::Refunded => format!("paid back to {}", name(&payment.to)),
        PaymentKind::RefundReceived => format!("came back from {}", name(&payment.from)),
        PaymentKind::TabOpened => format!("put aside for {}", name(&payment.to)),
        PaymentKind::TabRedeemed => format!("redeemed from a tab of {}", name(&payment.from)),
        PaymentKind::TabReturned => format!("left of a tab for {}", name(&payment.from)),
    };
    let memo = payment.memo.as_ref().map(|memo| format!(": {}", contained(memo))).unwrap_or_default();
    let (when, id) = (moment(payment.at), short(&payment.entry));
    let class = match (payment.class, &payment.card) {
        (PaymentClass::Cash, _) => String::new(),
        (PaymentClass::Card, _) => " (card)".to_owned(),
        (PaymentClass::Both, card) => format!(" ({} of it card)", card.as_deref().unwrap_or("some")),
    };
    format!("{when}  {id}  {:>10} {}{class} {what}, {}{memo}", payment.amount, payment.code, progress(payment))
}

/// This node as a witness.
pub(crate) fn witness(status: &WitnessStatus) -> String {
    let mut page = String::new();
    for one in &status.currencies {
        let (code, id) = (&one.code, short(&one.currency));
        page.push_str(&format!(
            "{code:8}  {id}  witness {} of {}, {} make a payment final{}\n",
            u16::from(one.place) + 1,
            one.witnesses,
            one.quorum,
            if one.broken { "; more of them are faulty than it bears: witnessed no more" } else { "" }
        ));
    }
    if page.is_empty() {
        page.push_str("This node witnesses no currency; begin with: kinfolk witness serve CURRENCY\n");
    }
    if let Some(stopped) = &status.stopped {
        page.push_str(&format!("It votes for nothing now: {}\n", contained(stopped)));
    }
    page.push_str(&format!(
        "{} accounts, {} votes, {} conflicts, {} put off; its log has {}\n",
        status.accounts,
        status.votes,
        status.conflicts,
        status.put_off,
        crate::size::binary_size(status.log_bytes)
    ));
    if let Some(compacted) = &status.compacted {
        let size = crate::size::binary_size;
        page.push_str(&format!(
            "The log was written anew {}: of {}, {} were left\n",
            moment(compacted.at),
            size(compacted.before_bytes),
            size(compacted.after_bytes)
        ));
    }
    page
}
