//! Floor 6: a typed client of the local door.
//!
//! [`Client::open`] finds the node that runs for a profile by its `door.json`, and every method is one request:
//! over the Unix socket where there is one, over the loopback interface else. [`Events`] is the stream of what happens.
//! The command line and the terminal face call it; it knows `kinfolk-rpc` and nothing of the node.
//!
//! It never retries, keeps nothing between requests, and never logs what it carries.

mod connection;
mod error;
mod events;
mod sse;

pub use error::ClientError;
pub use events::Events;

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Response};
use kinfolk_rpc::Done;
use kinfolk_rpc::bundle::{self, ExportBundle, ImportedBundle};
use kinfolk_rpc::contact::{AddContact, Added, Contact, ContactPage, SafetyNumber, SetVerified};
use kinfolk_rpc::door::{self, Door};
use kinfolk_rpc::event::EventPage;
use kinfolk_rpc::invite::{CreateInvite, Invite};
use kinfolk_rpc::invoice::{CreateInvoice, Invoice, Invoices, PayInvoice};
use kinfolk_rpc::mailbox::{AddMailbox, MailboxAdded, Mailboxes, Serve, Serving};
use kinfolk_rpc::merchant::{CertifyMerchant, Merchant, Merchants, RegisterMerchant};
use kinfolk_rpc::message::{AllowReadReceipts, MarkSeen, Message, MessagePage, SendMessage, Sent};
use kinfolk_rpc::problem::Problem;
use kinfolk_rpc::route;
use kinfolk_rpc::status::{Rename, Status};
use kinfolk_rpc::sticker::StickerList;
use kinfolk_rpc::tab::{OpenTab, PayTab, Tab, Tabs};
use kinfolk_rpc::wallet::{
    AcceptCurrency, Balances, CreateCurrency, Currencies, Currency, Mint, Pay, Payment, Payments, RecoverAccount,
    Recovery, ServeCurrency, WitnessStatus,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use connection::Connection;

/// How long a request may take unless [`Client::patient`] says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: a page of the longest texts, escaped.
const ANSWER: usize = 64 * 1024 * 1024;

/// The media type of most bodies.
const JSON: &str = "application/json";

/// A bundle that a node made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedBundle {
    /// The file, or the lines.
    pub bytes: Vec<u8>,
    /// How many messages of this person's are in it.
    pub messages: u64,
    /// How many it carries for others.
    pub carried: u64,
}

/// A client of the node that runs for one profile.
#[derive(Debug, Clone)]
pub struct Client {
    door: Door,
    patience: Duration,
}

impl Client {
    /// Finds the node that runs for the profile in this directory, and knocks.
    ///
    /// # Errors
    /// [`ClientError::NoNode`] where none runs; [`ClientError::DoorFile`] where its file cannot be read.
    pub async fn open(profile: &Path) -> Result<Self, ClientError> {
        let path = profile.join(door::FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ClientError::NoNode),
            Err(error) => return Err(ClientError::DoorFile { path, reason: error.to_string() }),
        };
        let door: Door = serde_json::from_slice(&text)
            .map_err(|_| ClientError::DoorFile { path, reason: "it is not what a node writes".to_owned() })?;
        if !is_door_of(profile, &door) {
            return Err(ClientError::NoNode);
        }
        let client = Self::new(door);
        Connection::open(&client.door).await?;
        Ok(client)
    }

    /// A client of the node behind this door, whether or not it is there.
    #[must_use]
    pub const fn new(door: Door) -> Self {
        Self { door, patience: PATIENCE }
    }

    /// The same client, whose requests may take this long.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Who the profile is and how the node is doing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(Method::GET, route::STATUS).await
    }

    /// Calls oneself something else.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rename_self(&self, name: String) -> Result<Done, ClientError> {
        self.tell(Method::PUT, route::OWN_NAME, &Rename { name }).await
    }

    /// Makes a link for others to become contacts by.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_invite(&self, wish: &CreateInvite) -> Result<Invite, ClientError> {
        self.tell(Method::POST, route::INVITES, wish).await
    }

    /// Asks the person who made a link to become a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_contact(&self, wish: &AddContact) -> Result<Added, ClientError> {
        self.tell(Method::POST, route::CONTACTS, wish).await
    }

    /// A page of contacts: the first one, or the one after a cursor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contact_page(&self, after: Option<&str>) -> Result<ContactPage, ClientError> {
        let query = after.map_or_else(String::new, |after| format!("?after={}", route::percent_encoded(after)));
        self.ask(Method::GET, &format!("{}{query}", route::CONTACTS)).await
    }

    /// All contacts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contacts(&self) -> Result<Vec<Contact>, ClientError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.contact_page(after.as_deref()).await?;
            all.extend(page.contacts);
            match page.next {
                Some(next) if Some(&next) != after.as_ref() => after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// One contact, by id, unique beginning of one, or unique name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contact(&self, contact: &str) -> Result<Contact, ClientError> {
        self.ask(Method::GET, &route::to(route::CONTACT, &[contact])).await
    }

    /// Says yes to somebody who asked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accept(&self, contact: &str) -> Result<Done, ClientError> {
        self.ask(Method::POST, &route::to(route::ACCEPT, &[contact])).await
    }

    /// Says no to somebody who asked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decline(&self, contact: &str) -> Result<Done, ClientError> {
        self.ask(Method::POST, &route::to(route::DECLINE, &[contact])).await
    }

    /// Hears nothing more from a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn block(&self, contact: &str) -> Result<Done, ClientError> {
        self.ask(Method::POST, &route::to(route::BLOCK, &[contact])).await
    }

    /// Hears a blocked contact again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unblock(&self, contact: &str) -> Result<Done, ClientError> {
        self.ask(Method::POST, &route::to(route::UNBLOCK, &[contact])).await
    }

    /// Forgets a contact; what was said stays.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove(&self, contact: &str) -> Result<Done, ClientError> {
        self.ask(Method::DELETE, &route::to(route::CONTACT, &[contact])).await
    }

    /// Calls a contact something else here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rename(&self, contact: &str, name: String) -> Result<Done, ClientError> {
        self.tell(Method::PUT, &route::to(route::NAME, &[contact]), &Rename { name }).await
    }

    /// The safety number with a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn safety_number(&self, contact: &str) -> Result<SafetyNumber, ClientError> {
        self.ask(Method::GET, &route::to(route::SAFETY_NUMBER, &[contact])).await
    }

    /// Notes whether the safety number was compared and is the same.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn set_verified(&self, contact: &str, verified: bool) -> Result<Done, ClientError> {
        self.tell(Method::PUT, &route::to(route::VERIFIED, &[contact]), &SetVerified { verified }).await
    }

    /// Says something.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, chat: &str, wish: &SendMessage) -> Result<Sent, ClientError> {
        self.tell(Method::POST, &route::to(route::MESSAGES, &[chat]), wish).await
    }

    /// The newest `last` lines of a conversation, or of those before the line with the id `before`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn messages(&self, chat: &str, last: usize, before: Option<&str>) -> Result<MessagePage, ClientError> {
        let before = before.map_or_else(String::new, |before| format!("&before={}", route::percent_encoded(before)));
        let path = route::to(route::MESSAGES, &[chat]);
        self.ask(Method::GET, &format!("{path}?last={last}{before}")).await
    }

    /// One line of a conversation.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn message(&self, chat: &str, message: &str) -> Result<Message, ClientError> {
        self.ask(Method::GET, &route::to(route::MESSAGE, &[chat, message])).await
    }

    /// Notes that the person has seen a conversation up to a line.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn mark_seen(&self, chat: &str, message: String) -> Result<Done, ClientError> {
        self.tell(Method::PUT, &route::to(route::SEEN, &[chat]), &MarkSeen { message }).await
    }

    /// Says whether the other side is told what has been read.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn allow_read_receipts(&self, chat: &str, allowed: bool) -> Result<Done, ClientError> {
        self.tell(Method::PUT, &route::to(route::READ_RECEIPTS, &[chat]), &AllowReadReceipts { allowed }).await
    }

    /// This person's mailboxes, and this node as one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn mailboxes(&self) -> Result<Mailboxes, ClientError> {
        self.ask(Method::GET, route::MAILBOXES).await
    }

    /// Names a mailbox for what is sent to this person.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_mailbox(&self, wish: &AddMailbox) -> Result<MailboxAdded, ClientError> {
        self.tell(Method::POST, route::MAILBOX_HOSTS, wish).await
    }

    /// Names a mailbox no longer: one by its node's id or the contact whose node it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_mailbox(&self, mailbox: &str) -> Result<Done, ClientError> {
        self.ask(Method::DELETE, &route::to(route::MAILBOX_HOST, &[mailbox])).await
    }

    /// What this node keeps for others.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn serving(&self) -> Result<Serving, ClientError> {
        self.ask(Method::GET, route::MAILBOX_SERVING).await
    }

    /// Serves as a mailbox from now on, or changes what is offered.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn serve(&self, wish: &Serve) -> Result<Serving, ClientError> {
        self.tell(Method::PUT, route::MAILBOX_SERVING, wish).await
    }

    /// Serves as a mailbox no longer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stop_serving(&self) -> Result<Done, ClientError> {
        self.ask(Method::DELETE, route::MAILBOX_SERVING).await
    }

    /// A bundle of what is to be carried by hand. It is on its way once [`bundle_exported`](Self::bundle_exported) says so.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export_bundle(&self, wish: &ExportBundle) -> Result<ExportedBundle, ClientError> {
        let wish = serde_json::to_vec(wish).map_err(|error| ClientError::Broken(error.to_string()))?;
        self.within(async {
            let (_connection, answer) = self.respond(Method::POST, route::BUNDLE_EXPORT, Some((JSON, wish))).await?;
            let count = |name: &str| {
                let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
                value.and_then(|text| text.parse().ok()).unwrap_or_default()
            };
            let (messages, carried) = (count(bundle::MESSAGES), count(bundle::CARRIED));
            let bytes = collect(answer.into_body(), bundle::LIMIT).await?;
            Ok(ExportedBundle { bytes, messages, carried })
        })
        .await
    }

    /// Says that such a bundle is written.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bundle_exported(&self, wish: &ExportBundle) -> Result<Done, ClientError> {
        self.tell(Method::POST, route::BUNDLE_EXPORTED, wish).await
    }

    /// Takes what came by hand: a bundle as a file, or its lines of text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn import_bundle(&self, bundle: Vec<u8>) -> Result<ImportedBundle, ClientError> {
        self.exchange(Method::POST, route::BUNDLE_IMPORT, Some((bundle::FILE, bundle))).await
    }

    /// The currencies that this person takes or was told of.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn currencies(&self) -> Result<Currencies, ClientError> {
        self.ask(Method::GET, route::CURRENCIES).await
    }

    /// One currency, by its code, its id or the beginning of that.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn currency(&self, currency: &str) -> Result<Currency, ClientError> {
        self.ask(Method::GET, &route::to(route::CURRENCY, &[currency])).await
    }

    /// Makes a currency.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_currency(&self, wish: &CreateCurrency) -> Result<Currency, ClientError> {
        self.tell(Method::POST, route::CURRENCIES, wish).await
    }

    /// Takes a currency.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accept_currency(&self, wish: &AcceptCurrency) -> Result<Currency, ClientError> {
        self.tell(Method::POST, route::ACCEPT_CURRENCY, wish).await
    }

    /// Begins to bring back the account in a currency, or goes on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn recover_account(&self, currency: &str, wish: &RecoverAccount) -> Result<Recovery, ClientError> {
        self.tell(Method::POST, &route::to(route::RECOVERY, &[currency]), wish).await
    }

    /// How far that is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn recovery(&self, currency: &str) -> Result<Recovery, ClientError> {
        self.ask(Method::GET, &route::to(route::RECOVERY, &[currency])).await
    }

    /// What there is, by currency and class.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn balances(&self) -> Result<Balances, ClientError> {
        self.ask(Method::GET, route::BALANCES).await
    }

    /// Makes money.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn mint(&self, wish: &Mint) -> Result<Payment, ClientError> {
        self.tell(Method::POST, route::MINT, wish).await
    }

    /// Pays a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pay(&self, wish: &Pay) -> Result<Payment, ClientError> {
        self.tell(Method::POST, route::PAYMENTS, wish).await
    }

    /// The newest `last` payments, of one currency or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn payments(&self, currency: Option<&str>, last: u32) -> Result<Payments, ClientError> {
        let of = currency.map_or_else(String::new, |of| format!("&currency={}", route::percent_encoded(of)));
        self.ask(Method::GET, &format!("{}?last={last}{of}", route::PAYMENTS)).await
    }

    /// One payment, by its entry or the beginning of that.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn payment(&self, entry: &str) -> Result<Payment, ClientError> {
        self.ask(Method::GET, &route::to(route::PAYMENT, &[entry])).await
    }

    /// Pays back what came.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refund(&self, entry: &str) -> Result<Payment, ClientError> {
        self.ask(Method::POST, &route::to(route::REFUND, &[entry])).await
    }

    /// What proves a payment to anybody, as a file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipt(&self, entry: &str) -> Result<Vec<u8>, ClientError> {
        self.within(async {
            let response = self.request(Method::GET, &route::to(route::RECEIPT, &[entry]), None).await?;
            collect(response.1, ANSWER).await
        })
        .await
    }

    /// The newest invoices, one's own and those that came, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invoices(&self, last: u32) -> Result<Invoices, ClientError> {
        self.ask(Method::GET, &format!("{}?last={last}", route::INVOICES)).await
    }

    /// One invoice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invoice(&self, invoice: &str) -> Result<Invoice, ClientError> {
        self.ask(Method::GET, &route::to(route::INVOICE, &[invoice])).await
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_invoice(&self, wish: &CreateInvoice) -> Result<Invoice, ClientError> {
        self.tell(Method::POST, route::INVOICES, wish).await
    }

    /// Pays an invoice.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pay_invoice(&self, wish: &PayInvoice) -> Result<Payment, ClientError> {
        self.tell(Method::POST, route::PAY_INVOICE, wish).await
    }

    /// Tabs, one's own and those that are for this person, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tabs(&self) -> Result<Tabs, ClientError> {
        self.ask(Method::GET, route::TABS).await
    }

    /// One tab: by its name, or the contact whom it is for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tab(&self, tab: &str) -> Result<Tab, ClientError> {
        self.ask(Method::GET, &route::to(route::TAB, &[tab])).await
    }

    /// Puts cash aside for a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn open_tab(&self, wish: &OpenTab) -> Result<Tab, ClientError> {
        self.tell(Method::POST, route::TABS, wish).await
    }

    /// Pays by voucher of a tab.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pay_tab(&self, wish: &PayTab) -> Result<Payment, ClientError> {
        self.tell(Method::POST, route::PAY_TAB, wish).await
    }

    /// Redeems what a tab's vouchers have promised.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn redeem_tab(&self, tab: &str) -> Result<Tab, ClientError> {
        self.ask(Method::POST, &route::to(route::REDEEM_TAB, &[tab])).await
    }

    /// Ends a tab.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn close_tab(&self, tab: &str) -> Result<Tab, ClientError> {
        self.ask(Method::POST, &route::to(route::CLOSE_TAB, &[tab])).await
    }

    /// This person as a merchant, and the merchants of the currencies that they issue.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn merchants(&self) -> Result<Merchants, ClientError> {
        self.ask(Method::GET, route::MERCHANTS).await
    }

    /// Asks the issuer of a currency for a certificate, which lets contacts pay this person with card money.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_merchant(&self, wish: &RegisterMerchant) -> Result<Merchant, ClientError> {
        self.tell(Method::POST, route::MERCHANTS, wish).await
    }

    /// Lets a contact, who has asked for it, take card money in a currency of this person's.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn certify_merchant(&self, wish: &CertifyMerchant) -> Result<Merchant, ClientError> {
        self.tell(Method::POST, route::CERTIFY_MERCHANT, wish).await
    }

    /// This node as a witness.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn witness(&self) -> Result<WitnessStatus, ClientError> {
        self.ask(Method::GET, route::WITNESS).await
    }

    /// Witnesses a currency from now on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn serve_currency(&self, wish: &ServeCurrency) -> Result<WitnessStatus, ClientError> {
        self.tell(Method::POST, route::WITNESS, wish).await
    }

    /// The stickers that can be sent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stickers(&self) -> Result<StickerList, ClientError> {
        self.ask(Method::GET, route::STICKERS).await
    }

    /// The picture of a sticker.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sticker_picture(&self, pack: &str, sticker: &str) -> Result<Vec<u8>, ClientError> {
        self.within(async {
            let response = self.request(Method::GET, &route::to(route::STICKER, &[pack, sticker]), None).await?;
            collect(response.1, ANSWER).await
        })
        .await
    }

    /// Waits up to `wait` for events after number `since`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn poll(&self, since: u64, wait: Duration) -> Result<EventPage, ClientError> {
        let path = format!("{}?since={since}&wait={}", route::EVENTS, wait.as_secs());
        let patient = self.clone().patient(self.patience.saturating_add(wait));
        patient.ask(Method::GET, &path).await
    }

    /// The stream of events after number `since`, or from now. What happens after this has returned is in it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self, since: Option<u64>) -> Result<Events, ClientError> {
        let path = since.map_or_else(|| route::EVENTS.to_owned(), |since| format!("{}?since={since}", route::EVENTS));
        let (connection, body) = self.within(self.request(Method::GET, &path, None)).await?;
        Ok(Events::new(connection, body))
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ClientError> {
        self.exchange(method, path, None).await
    }

    async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Broken(error.to_string()))?;
        self.exchange(method, path, Some((JSON, body))).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<T, ClientError> {
        self.within(async {
            let (_connection, answer) = self.request(method, path, body).await?;
            let bytes = collect(answer, ANSWER).await?;
            serde_json::from_slice(&bytes)
                .map_err(|error| ClientError::Broken(format!("its answer could not be read ({error})")))
        })
        .await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(Connection, Incoming), ClientError> {
        let (connection, response) = self.respond(method, path, body).await?;
        Ok((connection, response.into_body()))
    }

    /// Sends a request; a problem in answer becomes an error.
    async fn respond(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(Connection, Response<Incoming>), ClientError> {
        let mut connection = Connection::open(&self.door).await?;
        let response = connection.send(&self.door, method, path, body).await?;
        let status = response.status();
        if status.is_success() {
            return Ok((connection, response));
        }
        let bytes = collect(response.into_body(), ANSWER).await?;
        Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Refused(problem),
            Err(_) => ClientError::Broken(format!("it answered {status} without a reason")),
        })
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        tokio::time::timeout(self.patience, work).await.unwrap_or(Err(ClientError::TimedOut { after: self.patience }))
    }
}

/// Whether a door is that of the profile in this directory: the file of one whose directory was copied leads to the node
/// of the other.
fn is_door_of(profile: &Path, door: &Door) -> bool {
    let Some(socket) = door.socket.as_deref().map(Path::new) else { return true };
    if socket == profile.join(door::SOCKET) {
        return true;
    }
    let place = |dir: &Path| std::fs::canonicalize(dir).ok();
    socket.file_name() == Some(door::SOCKET.as_ref())
        && socket.parent().and_then(place).is_some_and(|found| Some(found) == place(profile))
}

async fn collect(body: Incoming, limit: usize) -> Result<Vec<u8>, ClientError> {
    let collected = Limited::new(body, limit).collect().await;
    Ok(collected.map_err(|error| ClientError::Broken(error.to_string()))?.to_bytes().to_vec())
}
