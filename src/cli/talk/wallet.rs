use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use kinfolk_client::{Client, Events};
use kinfolk_rpc::event::What;
use kinfolk_rpc::invoice::{CreateInvoice, PayInvoice};
use kinfolk_rpc::merchant::{CertifyMerchant, RegisterMerchant};
use kinfolk_rpc::wallet::{
    AcceptCurrency, Class, CreateCurrency, Mint, Pay, Payment, PaymentState, RecoverAccount, RecoveryState,
    ServeCurrency,
};

use super::link;
use crate::failure::{Exit, Failure};
use crate::screen::{Form, Screen};
use crate::show;
use crate::wallet::{self, Currency, Invoice, Merchant, Order, Patience, Wallet, Witness};

/// Asks a node about money, and prints the outcome.
pub(super) async fn wallet(asked: &Wallet, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Wallet::Currency(asked) => currency(asked, client, screen).await,
        Wallet::Recover { currency, words, timeout } => {
            recover(currency, words.as_deref(), *timeout, client, screen).await
        }
        Wallet::Mint { currency, amount, to, class, patience } => {
            let class = match class {
                wallet::Class::Cash => Class::Cash,
                wallet::Class::Card => Class::Card,
            };
            let wish = Mint { currency: currency.clone(), amount: amount.clone(), to: to.clone(), class };
            settle(client, patience, screen, async || client.mint(&wish).await).await
        }
        Wallet::Balance => {
            let balances = client.balances().await?.balances;
            if screen.form() == Form::People {
                return screen.write(&show::wallet::balances(&balances));
            }
            balances.iter().try_for_each(|balance| screen.tell(balance, String::new))
        }
        Wallet::Pay { order, patience } => {
            let wish = wish(order);
            settle(client, patience, screen, async || client.pay(&wish).await).await
        }
        Wallet::Request { order, expires } => {
            let Order { contact, amount, currency, memo } = order.clone();
            let wish =
                CreateInvoice { contact: Some(contact), amount, currency, memo, expires_in_ms: Some(millis(*expires)) };
            let made = client.create_invoice(&wish).await?;
            link::tell(&made, &made.link, false, screen, || show::invoice::made(&made))
        }
        Wallet::Invoice(asked) => invoice(asked, client, screen).await,
        Wallet::Tab(asked) => super::tab::tab(asked, client, screen).await,
        Wallet::Merchant(asked) => merchant(asked, client, screen).await,
        Wallet::Refund { entry, patience } => {
            settle(client, patience, screen, async || client.refund(entry).await).await
        }
        Wallet::Receipt { entry, file } => {
            let receipt = client.receipt(entry).await?;
            write_new(file, &receipt)?;
            let written = show::wallet::Written { file: file.display().to_string(), bytes: receipt.len() };
            screen.tell(&written, || {
                format!("Written. Anybody verifies it with: kinfolk wallet verify-receipt {}", file.display())
            })
        }
        // It needs no node, and was done without one.
        Wallet::VerifyReceipt { .. } => Ok(()),
        Wallet::History { currency, last } => {
            let mut payments = client.payments(currency.as_deref(), *last).await?.payments;
            payments.reverse();
            if screen.form() == Form::People {
                return screen.write(&show::wallet::history(&payments));
            }
            payments.iter().try_for_each(|payment| screen.tell(payment, String::new))
        }
    }
}

/// Begins to bring an account back where there are words, and waits until it is done.
async fn recover(
    currency: &str,
    words: Option<&Path>,
    timeout: Duration,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    // Before it is begun: from here on nothing that happens to it is missed.
    let mut events = client.events(None).await?;
    let mut recovery = match words {
        Some(file) => {
            let words = std::fs::read_to_string(file).map_err(|error| {
                Failure::new(Exit::Refused, "phrase_file", format!("{} cannot be read: {error}", file.display()))
            })?;
            client.recover_account(currency, &RecoverAccount { words }).await?
        }
        None => client.recovery(currency).await?,
    };
    let over = |state| matches!(state, RecoveryState::Done | RecoveryState::Nothing);
    let waited = tokio::time::timeout(timeout, async {
        while !over(recovery.state) {
            let event = events.next().await?.ok_or_else(Failure::node_stopped)?;
            if matches!(event.what, What::CurrencyChanged(_) | What::Reset) {
                recovery = client.recovery(&recovery.currency).await?;
            }
        }
        Ok::<(), Failure>(())
    });
    let waited = waited.await;
    if !over(recovery.state) {
        recovery = client.recovery(&recovery.currency).await?;
    }
    screen.tell(&recovery, || show::wallet::recovery(&recovery))?;
    match waited {
        _ if over(recovery.state) => Ok(()),
        Ok(Err(failure)) => Err(failure),
        _ => Err(Failure::new(Exit::TimedOut, "not_recovered", show::wallet::recovery_waits(&recovery))),
    }
}

fn wish(order: &Order) -> Pay {
    let Order { contact, amount, currency, memo } = order.clone();
    Pay { contact, amount, currency, memo }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

async fn merchant(asked: &Merchant, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Merchant::Register { currency, issuer } => {
            let wish = RegisterMerchant { currency: currency.clone(), issuer: issuer.clone() };
            let asked = client.register_merchant(&wish).await?;
            screen.tell(&asked, || show::merchant::registered(&asked))
        }
        Merchant::List => {
            let merchants = client.merchants().await?.merchants;
            if screen.form() == Form::People {
                return screen.write(&show::merchant::list(&merchants));
            }
            merchants.iter().try_for_each(|merchant| screen.tell(merchant, String::new))
        }
        Merchant::Certify { contact, currency, days } => {
            let wish = CertifyMerchant { contact: contact.clone(), currency: currency.clone(), days: Some(*days) };
            let certified = client.certify_merchant(&wish).await?;
            screen.tell(&certified, || show::merchant::certified(&certified))
        }
    }
}

async fn invoice(asked: &Invoice, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Invoice::Create { amount, currency, memo, expires, qr } => {
            let wish = CreateInvoice {
                contact: None,
                amount: amount.clone(),
                currency: currency.clone(),
                memo: memo.clone(),
                expires_in_ms: Some(millis(*expires)),
            };
            let made = client.create_invoice(&wish).await?;
            link::tell(&made, &made.link, *qr, screen, || show::invoice::made(&made))
        }
        Invoice::Pay { invoice, patience } => {
            let wish = PayInvoice { invoice: invoice.clone() };
            settle(client, patience, screen, async || client.pay_invoice(&wish).await).await
        }
        Invoice::List { last } => {
            let mut invoices = client.invoices(*last).await?.invoices;
            invoices.reverse();
            if screen.form() == Form::People {
                return screen.write(&show::invoice::list(&invoices));
            }
            invoices.iter().try_for_each(|invoice| screen.tell(invoice, String::new))
        }
        Invoice::Show { invoice, qr } => {
            let shown = client.invoice(invoice).await?;
            link::tell(&shown, &shown.link, *qr, screen, || show::invoice::page(&shown))
        }
    }
}

async fn currency(asked: &Currency, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    match asked {
        Currency::Create { code, decimals, witness, max_supply, faults } => {
            let wish = CreateCurrency {
                code: code.clone(),
                decimals: *decimals,
                witnesses: witness.clone(),
                max_supply: max_supply.clone(),
                faults: *faults,
            };
            let made = client.create_currency(&wish).await?;
            screen.tell(&made, || show::wallet::created(&made))
        }
        Currency::List => {
            let known = client.currencies().await?.currencies;
            if screen.form() == Form::People {
                return screen.write(&show::wallet::currencies(&known));
            }
            known.iter().try_for_each(|currency| screen.tell(currency, String::new))
        }
        Currency::Show { currency } => {
            let shown = client.currency(currency).await?;
            screen.tell(&shown, || show::wallet::currency(&shown))
        }
        Currency::Accept { currency } => {
            let taken = client.accept_currency(&AcceptCurrency { currency: currency.clone() }).await?;
            screen.tell(&taken, || show::wallet::taken(&taken))
        }
    }
}

/// Has something signed, and waits where that is wished.
async fn settle(
    client: &Client,
    patience: &Patience,
    screen: &mut Screen,
    sign: impl AsyncFnOnce() -> Result<Payment, kinfolk_client::ClientError>,
) -> Result<(), Failure> {
    if patience.wait.is_none() {
        let payment = sign().await?;
        return screen.tell(&payment, || show::wallet::signed(&payment));
    }
    // Before it is signed: from here on nothing that happens to it is missed.
    let mut events = client.events(None).await?;
    let mut payment = sign().await?;
    let settled = tokio::time::timeout(patience.timeout, until_final(&mut payment, &mut events, client)).await;
    // Why it waits is known to the node and no event.
    if payment.state != PaymentState::Final {
        payment = client.payment(&payment.entry).await?;
    }
    screen.tell(&payment, || show::wallet::signed(&payment))?;
    match settled {
        _ if payment.state == PaymentState::Final => Ok(()),
        Ok(Err(failure)) => Err(failure),
        _ => Err(Failure::new(Exit::TimedOut, "not_final", show::wallet::waits(&payment))),
    }
}

async fn until_final(payment: &mut Payment, events: &mut Events, client: &Client) -> Result<(), Failure> {
    while payment.state != PaymentState::Final {
        let event = events.next().await?.ok_or_else(Failure::node_stopped)?;
        match event.what {
            What::PaymentChanged(changed) if changed.entry == payment.entry => *payment = changed,
            What::Reset => *payment = client.payment(&payment.entry).await?,
            _ => {}
        }
    }
    Ok(())
}

fn write_new(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Refused, "not_written", format!("{}: {error}", file.display()));
    let mut out = OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(failed)
}

/// Asks a node as a witness, and prints the outcome.
pub(super) async fn witness(asked: &Witness, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let status = match asked {
        Witness::Serve { currency } => client.serve_currency(&ServeCurrency { currency: currency.clone() }).await?,
        Witness::Status => client.witness().await?,
    };
    screen.tell(&status, || show::wallet::witness(&status))
}
