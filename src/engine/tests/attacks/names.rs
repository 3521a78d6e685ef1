//! Names that can be taken for somebody else's are warned about, whoever came first.

use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::lookalikes::NameWarning;
use kinfolk_engine::{Answer, Input, query};
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::town::Town;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn warning(town: &Town, who: usize, other: usize) -> Option<NameWarning> {
    let view = town.contact(who, other).unwrap();
    let listed = query::contacts(&town.people[who].store).unwrap();
    let same = listed.into_iter().find(|listed| listed.identity == view.identity).unwrap();
    assert_eq!(same, view, "the list and the single view say the same");
    view.warning
}

fn like(identity: IdentityId) -> impl Fn(Option<NameWarning>) -> bool {
    move |warning| matches!(warning, Some(NameWarning::LikeContact(found, _)) if found == identity)
}

fn command(town: &mut Town, who: usize, command: Command) {
    town.input(who, Input::Command(command));
}

#[test]
fn b01_somebody_who_asks_under_the_name_of_a_contact_is_warned_about_before_anybody_says_yes() {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Once);
    town.ask(1, &link);
    town.pass(Span::from_secs(5));
    assert_eq!(warning(&town, 0, 1), None);
    command(&mut town, 2, Command::RenameSelf(name("BE\u{430}")));
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Ask };
    let Answer::Invite(link) = town.input(0, Input::Command(invite)).answer else { panic!("no link") };
    town.ask(2, &link);
    town.pass(Span::from_secs(5));
    let [bea, imitator] = [1, 2].map(|who| town.people[who].identity);
    assert!(like(bea)(warning(&town, 0, 2)));
    assert!(like(imitator)(warning(&town, 0, 1)), "nobody knows which of them is the right one");
    command(&mut town, 0, Command::MarkVerified(bea, true));
    assert_eq!(warning(&town, 0, 1), None, "until the safety number says it");
    assert!(like(bea)(warning(&town, 0, 2)));
    command(&mut town, 0, Command::MarkVerified(imitator, true));
    assert!(
        like(imitator)(warning(&town, 0, 1)) && like(bea)(warning(&town, 0, 2)),
        "both were compared: two namesakes"
    );
}

#[test]
fn b01_the_name_that_a_contact_has_for_themselves_counts_though_they_are_called_something_else_here() {
    let mut town = Town::of_friends(3);
    let [bea, cora] = [1, 2].map(|who| town.people[who].identity);
    command(&mut town, 0, Command::RenameContact(bea, name("Mum")));
    assert_eq!(warning(&town, 0, 2), None);
    command(&mut town, 0, Command::RenameContact(cora, name("bea")));
    assert!(like(bea)(warning(&town, 0, 2)));
    assert_eq!(warning(&town, 0, 1), None, "nobody else is called Mum");
    let text = warning(&town, 0, 2).unwrap().to_string();
    assert!(text.contains("Mum") && text.contains(&bea.to_string()[..8]), "{text}");
    command(&mut town, 0, Command::RemoveContact(bea));
    assert_eq!(warning(&town, 0, 2), None, "who is removed is imitated no more");
}

#[test]
fn b06_a_contact_under_ones_own_name_is_warned_about() {
    let mut town = Town::of_friends(2);
    let bea = town.people[1].identity;
    for (called, own) in [("Anna", true), ("\u{391}nna", true), ("aNNa", true), ("Hanna", false)] {
        command(&mut town, 0, Command::RenameContact(bea, name(called)));
        assert_eq!(warning(&town, 0, 1) == Some(NameWarning::LikeOwnName), own, "{called}");
    }
    command(&mut town, 0, Command::RenameSelf(name("HANNA")));
    assert_eq!(warning(&town, 0, 1), Some(NameWarning::LikeOwnName));
    command(&mut town, 0, Command::MarkVerified(bea, true));
    assert_eq!(warning(&town, 0, 1), None);
}
