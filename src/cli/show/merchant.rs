use kinfolk_rpc::merchant::{Merchant, MerchantState};

use super::time::moment;

/// The issuer was asked.
pub(crate) fn registered(asked: &Merchant) -> String {
    let (issuer, code) = (&asked.issuer.display_name, &asked.code);
    let since = match (asked.state, asked.expires) {
        (MerchantState::Certified, Some(until)) => format!(" Until {} you take it as before.", moment(until)),
        _ => String::new(),
    };
    format!(
        "{issuer} is asked to let you take card money in {code}, and says yes with `wallet merchant certify`.{since}"
    )
}

/// A contact was certified.
pub(crate) fn certified(merchant: &Merchant) -> String {
    let (who, code) = (&merchant.merchant.display_name, &merchant.code);
    let until = merchant.expires.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
    format!("{who} takes card money in {code}{until}.")
}

/// Merchants, one a line.
pub(crate) fn list(merchants: &[Merchant]) -> String {
    if merchants.is_empty() {
        return "Nobody yet. A merchant begins with: kinfolk wallet merchant register CURRENCY\n".to_owned();
    }
    merchants.iter().map(|merchant| format!("{}\n", line(merchant))).collect()
}

/// A merchant in one line.
pub(crate) fn line(merchant: &Merchant) -> String {
    let until = merchant.expires.map(moment).unwrap_or_default();
    let state = match merchant.state {
        MerchantState::Asked => String::new(),
        MerchantState::Certified => format!("takes card money until {until}"),
        MerchantState::Expired => format!("took card money until {until}"),
    };
    let asked = merchant.asked.map(|asked| format!("asked {} on {}", merchant.issuer.display_name, moment(asked)));
    let parts: Vec<String> = [Some(state).filter(|state| !state.is_empty()), asked].into_iter().flatten().collect();
    format!("{:8}  {}  {}", &merchant.code, merchant.merchant.display_name, parts.join("; "))
}
