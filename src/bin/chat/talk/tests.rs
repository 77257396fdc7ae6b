//! A conversation without a terminal and without a server.

use super::hear::Reaction;
use super::*;
use crate::exit::Exit;
use crate::show::Deed;
use chatd::client::{Answer, Event, Failure, Person, Refusal, Welcome};

struct Trial {
    talk: Talk,
    say: Vec<Shown>,
    tickets: u64,
}

impl Trial {
    fn new() -> Self {
        Self { talk: Talk::default(), say: Vec::new(), tickets: 0 }
    }

    fn line(&mut self, line: &str) -> Next {
        self.talk.line(line, &mut self.say)
    }

    fn ask(&mut self, line: &str) -> (Request, Ticket) {
        let Next::Ask(request, pending) = self.line(line) else { panic!("{line} asks for nothing") };
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.talk.asked(ticket, pending);
        (request, ticket)
    }

    fn hear(&mut self, event: Event) -> Reaction {
        self.talk.hear(event, &mut self.say)
    }

    fn settle(&mut self, ticket: Ticket, answer: Answer) -> Exit {
        self.hear(Event::Settled { ticket, result: Ok(answer) }).settled.unwrap().1
    }

    fn inside() -> Self {
        let mut trial = Self::new();
        let mut welcome = Welcome::new(user(1), "amy".into());
        welcome.friends = vec![Person { id: user(2), name: "bob".into(), online: true }];
        trial.hear(Event::LoggedIn { welcome, again: false });
        trial.say.clear();
        trial
    }

    fn prompt(&self) -> String {
        self.talk.prompt().text
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn from(number: u64, name: &str) -> Event {
    Event::Message(Message::new(Conversation::With(user(number)), user(number), name, "hi", "t"))
}

#[test]
fn the_menu_leads_in() {
    let mut trial = Trial::new();
    assert_eq!(trial.line("2"), Next::Go);
    assert_eq!(trial.prompt(), "username:");
    assert_eq!(trial.line("amy"), Next::Go);
    assert!(trial.talk.prompt().secret && !trial.talk.prompt().kept);
    let (request, ticket) = trial.ask(" pass word ");
    assert_eq!(request, Request::Register { name: "amy".into(), password: " pass word ".into() });
    assert_eq!(trial.settle(ticket, Answer::Registered(user(1))), Exit::Done);
    assert_eq!(trial.say.pop(), Some(Shown::Registered(user(1), "amy".into())));
    trial.line("1");
    assert_eq!(trial.prompt(), "userid:");
    trial.line("1");
    assert_eq!(trial.prompt(), "userpassword:");
    let (request, _) = trial.ask("pw");
    assert_eq!(request, Request::Login { user: user(1), password: "pw".into() });
    trial.hear(Event::LoggedIn { welcome: Welcome::new(user(1), "amy".into()), again: false });
    assert_eq!(trial.prompt(), "> ");
    assert!(trial.talk.prompt().kept);
}

#[test]
fn nonsense_at_the_menu_is_bad_and_changes_nothing() {
    let mut trial = Trial::new();
    assert_eq!(trial.line("chat:1:x"), Next::Bad);
    trial.line("1");
    assert_eq!(trial.line("bob"), Next::Bad);
    assert!(trial.talk.is_at_menu());
    assert_eq!(trial.line("3"), Next::Leave);
}

#[test]
fn a_refused_login_is_told_apart() {
    let mut trial = Trial::new();
    trial.line("1");
    trial.line("7");
    let (_, ticket) = trial.ask("wrong");
    let refusal = Refusal { errno: 1, text: "no".into(), retry_after_ms: None };
    let event = Event::Settled { ticket, result: Err(Failure::Refused(refusal)) };
    assert_eq!(trial.hear(event).settled, Some((ticket, Exit::LoginRefused)));
    assert!(trial.talk.is_at_menu());
}

#[test]
fn an_open_conversation_takes_lines_and_others_count() {
    let mut trial = Trial::inside();
    assert_eq!(trial.line("hello"), Next::Bad);
    trial.hear(from(2, "bob"));
    trial.hear(from(3, "carol"));
    trial.say.clear();
    trial.line("/open bob");
    assert!(matches!(&trial.say[..], [Shown::Opened(..), Shown::Said(..)]), "{:?}", trial.say);
    assert_eq!(trial.prompt(), "bob (1 unread)> ");
    let (request, _) = trial.ask("hello: there");
    let Request::Say { to, text, .. } = request else { panic!("not said") };
    assert_eq!((to, text.as_str()), (Conversation::With(user(2)), "hello: there"));
    trial.say.clear();
    trial.line("/unread");
    assert_eq!(trial.say.pop(), Some(Shown::Unread(vec![("carol".into(), 1)])));
    trial.line("/open carol");
    assert_eq!(trial.prompt(), "carol> ");
    assert_eq!(trial.line("/close"), Next::Go);
    assert_eq!(trial.prompt(), "> ");
}

#[test]
fn a_new_friend_is_asked_after_and_a_made_group_has_its_name() {
    let mut trial = Trial::inside();
    let (_, ticket) = trial.ask("addfriend:9");
    let reaction = trial.hear(Event::Settled { ticket, result: Ok(Answer::Done) });
    assert!(reaction.settled.is_none(), "its name is still to be learnt");
    let Some((Request::ShowFriends, pending)) = reaction.ask else { panic!("nothing is asked") };
    trial.talk.asked(Ticket(99), pending);
    let friends = vec![Person { id: user(9), name: "nina".into(), online: false }];
    trial.hear(Event::Friends(friends.clone()));
    let reaction = trial.hear(Event::Settled { ticket: Ticket(99), result: Ok(Answer::Friends(friends)) });
    assert_eq!(reaction.settled, Some((ticket, Exit::Done)));
    assert_eq!(trial.say.pop(), Some(Shown::Done(Deed::Befriended(user(9), "nina".into()))));
    let (_, ticket) = trial.ask("creategroup:dev:we build");
    let group = GroupId::new(4).unwrap();
    trial.settle(ticket, Answer::Group(group));
    assert_eq!(trial.say.pop(), Some(Shown::Done(Deed::Made(group, "dev".into()))));
    trial.line("/open #dev");
    assert_eq!(trial.prompt(), "#dev> ");
    trial.line("/members");
    assert!(matches!(trial.say.pop(), Some(Shown::Members(_, members)) if members.len() == 1));
    let (_, ticket) = trial.ask("delgroup:dev");
    trial.settle(ticket, Answer::Group(group));
    assert_eq!(trial.prompt(), "> ");
}

#[test]
fn whoever_is_signed_out_is_at_the_menu_in_another_epoch() {
    let mut trial = Trial::inside();
    let before = trial.talk.prompt().epoch;
    let refusal = Refusal { errno: 1, text: "no".into(), retry_after_ms: None };
    assert!(trial.hear(Event::SignedOut(refusal)).signed_out);
    assert!(trial.talk.is_at_menu() && trial.talk.prompt().epoch != before);
}
