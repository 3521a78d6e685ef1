use kinfolk_rpc::message::Sender;
use kinfolk_rpc::tab::{Tab, TabState};

use super::short;
use super::time::moment;

fn name(who: Option<&Sender>) -> String {
    who.map_or_else(|| "somebody".to_owned(), |who| who.display_name.clone())
}

/// A tab that was opened.
pub(crate) fn opened(tab: &Tab) -> String {
    let (amount, code, to, until) = (&tab.amount, &tab.code, name(tab.to.as_ref()), moment(tab.expires));
    let state = match tab.state {
        TabState::Opening => " Pay from it once that is final; `kinfolk wallet tab show` tells.",
        _ => "",
    };
    format!("{amount} {code} put aside for {to}, until {until}. (tab {}){state}", short(&tab.tab))
}

/// What becomes of a tab that was told to redeem or to close.
pub(crate) fn ending(tab: &Tab) -> String {
    match tab.state {
        TabState::Closed => format!("The tab is closed. (tab {})", short(&tab.tab)),
        _ => format!("It is on its way, and goes on by itself: {}", line(tab)),
    }
}

/// Tabs, one a line.
pub(crate) fn list(tabs: &[Tab]) -> String {
    if tabs.is_empty() {
        return "No tabs yet. Open one with kinfolk wallet tab open.\n".to_owned();
    }
    tabs.iter().map(|tab| format!("{}\n", line(tab))).collect()
}

/// A tab on several lines.
pub(crate) fn page(tab: &Tab) -> String {
    let mut page = format!("{}\n", line(tab));
    page.push_str(&format!("  tab         {}\n", tab.tab));
    page.push_str(&format!("  put aside   {} {}\n", tab.amount, &tab.code));
    page.push_str(&format!("  paid        {}\n", tab.paid));
    page.push_str(&format!("  redeemed    {}\n", tab.redeemed));
    page.push_str(&format!("  left        {}\n", tab.left));
    page.push_str(&format!("  until       {}\n", moment(tab.expires)));
    page
}

/// A tab in one line.
pub(crate) fn line(tab: &Tab) -> String {
    let state = match tab.state {
        TabState::Opening => "not final yet",
        TabState::Open => "open",
        TabState::Settling => "being redeemed or closed",
        TabState::Expired => "expired",
        TabState::Closed => "closed",
    };
    let (when, id, left, code) = (moment(tab.at), short(&tab.tab), &tab.left, &tab.code);
    let (from, to) = (name(tab.from.as_ref()), name(tab.to.as_ref()));
    format!("{when}  {id}  {left:>10} of {} {code} left, from {from} for {to}, {state}", tab.amount)
}
