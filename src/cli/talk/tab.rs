use kinfolk_client::Client;
use kinfolk_rpc::tab::{OpenTab, PayTab};

use crate::failure::Failure;
use crate::screen::{Form, Screen};
use crate::show;
use crate::wallet::Tab;

/// Asks a node about tabs, and prints the outcome.
pub(super) async fn tab(asked: &Tab, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Tab::Open { contact, amount, currency, days } => {
            let (contact, amount, currency) = (contact.clone(), amount.clone(), currency.clone());
            let opened = client.open_tab(&OpenTab { contact, amount, currency, days: Some(*days) }).await?;
            screen.tell(&opened, || show::tab::opened(&opened))
        }
        Tab::Pay { tab, amount, memo } => {
            let wish = PayTab { tab: tab.clone(), amount: amount.clone(), memo: memo.clone() };
            let paid = client.pay_tab(&wish).await?;
            screen.tell(&paid, || show::wallet::signed(&paid))
        }
        Tab::Close { tab } => {
            let closing = client.close_tab(tab).await?;
            screen.tell(&closing, || show::tab::ending(&closing))
        }
        Tab::Redeem { tab } => {
            let redeeming = client.redeem_tab(tab).await?;
            screen.tell(&redeeming, || show::tab::ending(&redeeming))
        }
        Tab::List => {
            let mut tabs = client.tabs().await?.tabs;
            tabs.reverse();
            if screen.form() == Form::People {
                return screen.write(&show::tab::list(&tabs));
            }
            tabs.iter().try_for_each(|tab| screen.tell(tab, String::new))
        }
        Tab::Show { tab } => {
            let shown = client.tab(tab).await?;
            screen.tell(&shown, || show::tab::page(&shown))
        }
    }
}
