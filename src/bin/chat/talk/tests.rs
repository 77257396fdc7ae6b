//! A conversation without a terminal and without a server.

mod changes_tests;
mod groups_tests;

use super::hear::Reaction;
use super::*;
use crate::exit::Exit;
use crate::show::Deed;
use chatd_chat::wire::code::Code;
use chatd_client::{Answer, Event, Failure, Mark, Person, Refusal, Span, Spoken, Welcome};

struct Trial {
    talk: Talk,
    say: Vec<Shown>,
    request_ids: u64,
}

impl Trial {
    fn new() -> Self {
        Self { talk: Talk::default(), say: Vec::new(), request_ids: 0 }
    }

    fn line(&mut self, line: &str) -> Next {
        self.talk.line(line, &mut self.say)
    }

    fn ask(&mut self, line: &str) -> (Request, RequestId) {
        let Next::Ask(request, pending) = self.line(line) else { panic!("{line} asks for nothing") };
        let request_id = RequestId(self.request_ids);
        self.request_ids += 1;
        self.talk.asked(request_id, pending);
        (request, request_id)
    }

    fn hear(&mut self, event: Event) -> Reaction {
        self.talk.hear(event, &mut self.say)
    }

    fn settle(&mut self, request_id: RequestId, answer: Answer) -> Exit {
        self.hear(Event::Answered { request_id, result: Ok(answer) }).settled.unwrap().1
    }

    fn inside() -> Self {
        Self::inside_of(Spoken::Seed)
    }

    /// Somebody who is logged in, with a server that speaks this.
    fn inside_of(spoken: Spoken) -> Self {
        let mut trial = Self::new();
        let mut welcome = Welcome::new(user(1), "amy".into());
        welcome.spoken = spoken;
        welcome.friends = vec![Person { id: user(2), name: "bob".into(), online: true }];
        trial.hear(Event::LoggedIn { welcome, again: false });
        trial.say.clear();
        trial
    }

    /// What an event calls for, asked with the next request_id.
    fn goes_on(&mut self, event: Event) -> (Request, RequestId) {
        let reaction = self.hear(event);
        assert!(reaction.settled.is_none(), "{reaction:?}");
        let (request, pending) = reaction.ask.expect("something is asked");
        let request_id = RequestId(self.request_ids);
        self.request_ids += 1;
        self.talk.asked(request_id, pending);
        (request, request_id)
    }

    fn prompt(&self) -> String {
        self.talk.prompt().text
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn login(user: Named, takeover: Takeover) -> Request {
    Request::Login { user, password: "pw".into(), takeover }
}

fn refused(code: Code) -> Failure {
    Failure::Refused(Refusal { errno: code.errno(), text: "no".into(), retry_after_ms: None })
}

fn from(number: u64, name: &str) -> Event {
    Event::Message(Message::new(Conversation::With(user(number)), user(number), name, "hi", "t"))
}

#[test]
fn the_menu_leads_in() {
    let mut trial = Trial::new();
    assert_eq!(trial.line("2"), Next::Go);
    assert_eq!(trial.prompt(), "username: ");
    assert_eq!(trial.line("amy"), Next::Go);
    assert!(trial.talk.prompt().secret && !trial.talk.prompt().kept);
    let (request, request_id) = trial.ask(" pass word ");
    assert_eq!(
        request,
        Request::Register { name: "amy".into(), password: " pass word ".into(), invitation: None }
    );
    assert_eq!(trial.settle(request_id, Answer::Registered(user(1))), Exit::Done);
    assert_eq!(trial.say.pop(), Some(Shown::Registered(user(1), "amy".into())));
    trial.line("1");
    assert_eq!(trial.prompt(), "userid or name: ");
    trial.line("1");
    assert_eq!(trial.prompt(), "userpassword: ");
    let (request, _) = trial.ask("pw");
    assert_eq!(request, login(user(1).into(), Takeover::Refuse));
    trial.hear(Event::LoggedIn { welcome: Welcome::new(user(1), "amy".into()), again: false });
    assert_eq!(trial.prompt(), "> ");
    assert!(trial.talk.prompt().kept);
}

#[test]
fn nonsense_at_the_menu_is_bad_and_changes_nothing() {
    let mut trial = Trial::new();
    assert_eq!(trial.line("chat:1:x"), Next::Bad);
    trial.line("1");
    assert_eq!(trial.line("0"), Next::Bad);
    assert!(trial.talk.is_at_menu());
    assert_eq!(trial.line("3"), Next::Leave);
}

#[test]
fn a_refused_login_is_told_apart() {
    let mut trial = Trial::new();
    trial.line("1");
    trial.line("7");
    let (_, request_id) = trial.ask("wrong");
    let refusal = Refusal { errno: 1, text: "no".into(), retry_after_ms: None };
    let event = Event::Answered { request_id, result: Err(Failure::Refused(refusal)) };
    assert_eq!(trial.hear(event).settled, Some((request_id, Exit::LoginRefused)));
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
    let (_, request_id) = trial.ask("addfriend:9");
    let reaction = trial.hear(Event::Answered { request_id, result: Ok(Answer::Done) });
    assert!(reaction.settled.is_none(), "its name is still to be learnt");
    let Some((Request::ShowFriends, pending)) = reaction.ask else { panic!("nothing is asked") };
    trial.talk.asked(RequestId(99), pending);
    let friends = vec![Person { id: user(9), name: "nina".into(), online: false }];
    trial.hear(Event::Friends(friends.clone()));
    let reaction =
        trial.hear(Event::Answered { request_id: RequestId(99), result: Ok(Answer::Friends(friends)) });
    assert_eq!(reaction.settled, Some((request_id, Exit::Done)));
    assert_eq!(trial.say.pop(), Some(Shown::Done(Deed::Befriended(user(9), "nina".into()))));
    let (_, request_id) = trial.ask("creategroup:dev:we build");
    let group = GroupId::new(4).unwrap();
    trial.settle(request_id, Answer::Group(group));
    assert_eq!(trial.say.pop(), Some(Shown::Done(Deed::Made(group, "dev".into()))));
    trial.line("/open #dev");
    assert_eq!(trial.prompt(), "#dev> ");
    trial.line("/members");
    assert!(matches!(trial.say.pop(), Some(Shown::Members(_, members, Spoken::Seed)) if members.len() == 1));
    let (_, request_id) = trial.ask("delgroup:dev");
    trial.settle(request_id, Answer::Group(group));
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

#[test]
fn a_name_that_nobody_has_heard_is_asked_for_and_then_does_what_it_was_for() {
    let mut trial = Trial::inside_of(Spoken::V2);
    let (request, asked) = trial.ask("chat:nina:hello");
    assert_eq!(request, Request::Find("nina".into()));
    assert_eq!(trial.talk.unanswered(), 1);
    let nina = Person { id: user(9), name: "nina".into(), online: true };
    let (request, request_id) =
        trial.goes_on(Event::Answered { request_id: asked, result: Ok(Answer::Found(nina)) });
    assert!(matches!(request, Request::Say { to: Conversation::With(id), .. } if id == user(9)));
    assert_eq!(trial.talk.unanswered(), 1);
    let result = Ok(Answer::Safe(Mark::default()));
    let reaction = trial.hear(Event::Answered { request_id, result });
    assert_eq!(reaction.settled, Some((asked, Exit::Done)), "the line is answered as a whole");
    assert!(matches!(trial.say.pop(), Some(Shown::Done(Deed::Sent { safe: Some(_), .. }))));
    // Now she is known.
    assert!(matches!(trial.ask("addfriend:nina").0, Request::AddFriend(id) if id == user(9)));
}

#[test]
fn capitals_may_be_wrong_only_where_nobody_is_called_exactly_so() {
    let mut trial = Trial::inside_of(Spoken::V2);
    let (request, request_id) = trial.ask("/open BOB");
    assert_eq!(request, Request::Find("BOB".into()));
    let result = Err(refused(Code::NoSuchUser));
    assert_eq!(trial.hear(Event::Answered { request_id, result }).settled, Some((request_id, Exit::Done)));
    assert_eq!(trial.prompt(), "bob> ");
    let (_, request_id) = trial.ask("block:nobody");
    let result = Err(refused(Code::NoSuchUser));
    assert_eq!(trial.hear(Event::Answered { request_id, result }).settled, Some((request_id, Exit::Refused)));
    assert!(matches!(trial.say.pop(), Some(Shown::Failed(what, _)) if what == "nobody is not found"));
}

#[test]
fn the_same_history_again_is_the_page_before() {
    let mut trial = Trial::inside_of(Spoken::V2);
    let bob = Conversation::With(user(2));
    let page = |pos| {
        let mut message = Message::new(bob, user(2), "bob", "hi", "t");
        message.mark.pos = Some(pos);
        Answer::History { rows: vec![chatd_client::Row::Said(message)], chg: None, complete: true }
    };
    let span = |request| match request {
        Request::History { of, span, .. } if of == bob => span,
        other => panic!("{other:?}"),
    };
    let (request, request_id) = trial.ask("history:bob");
    assert_eq!(span(request), Span::Latest);
    trial.settle(request_id, page(41));
    let (request, request_id) = trial.ask("history:2");
    assert_eq!(span(request), Span::Before(41));
    trial.settle(request_id, page(21));
    trial.line("/groups");
    assert_eq!(span(trial.ask("history:bob").0), Span::Latest);
}

#[test]
fn members_are_put_together_from_their_pages() {
    let mut trial = Trial::inside_of(Spoken::V2);
    let member = |id, name: &str| {
        let person = Person { id: user(id), name: name.into(), online: true };
        chatd_client::Member { person, role: chatd_client::Role::Normal, muted: Default::default() }
    };
    let (request, asked) = trial.ask("members:4");
    assert!(matches!(request, Request::Members { after: None, .. }));
    let answer = Answer::Members { members: vec![member(7, "gil")], complete: false };
    let (request, request_id) = trial.goes_on(Event::Answered { request_id: asked, result: Ok(answer) });
    assert!(matches!(request, Request::Members { after: Some(id), .. } if id == user(7)));
    let answer = Answer::Members { members: vec![member(8, "hal")], complete: true };
    let reaction = trial.hear(Event::Answered { request_id, result: Ok(answer) });
    assert_eq!(reaction.settled, Some((asked, Exit::Done)));
    assert!(matches!(trial.say.pop(), Some(Shown::Members(_, members, _)) if members.len() == 2));
}

#[test]
fn a_user_who_is_logged_in_elsewhere_may_end_that_session() {
    let mut trial = Trial::new();
    trial.line("1");
    trial.line("amy");
    let (request, request_id) = trial.ask("pw");
    assert_eq!(request, login("amy".into(), Takeover::Refuse));
    trial.hear(Event::Answered { request_id, result: Err(refused(Code::AlreadyOnline)) });
    assert_eq!((trial.say.pop(), trial.prompt().as_str()), (Some(Shown::Elsewhere), "yes or no: "));
    assert_eq!(trial.line("perhaps"), Next::Bad);
    let (request, request_id) = trial.ask("yes");
    assert_eq!(request, login("amy".into(), Takeover::Replace));
    // A server that cannot do it is not asked for ever.
    let event = Event::Answered { request_id, result: Err(refused(Code::AlreadyOnline)) };
    assert_eq!(trial.hear(event).settled, Some((request_id, Exit::LoginRefused)));
    assert!(trial.talk.is_at_menu());
    let mut script = Talk::new(Elsewhere::TakeOver);
    for line in ["1", "amy"] {
        script.line(line, &mut Vec::new());
    }
    let Next::Ask(request, _) = script.line("pw", &mut Vec::new()) else { panic!("no login") };
    assert_eq!(request, login("amy".into(), Takeover::Replace));
}

#[test]
fn a_password_that_is_being_typed_stays_one_whatever_happens() {
    let mut trial = Trial::inside_of(Spoken::V2);
    trial.line("/open bob");
    trial.line("password");
    assert!(trial.talk.prompt().secret && !trial.talk.prompt().kept);
    trial.hear(Event::LoggedIn { welcome: Welcome::new(user(1), "amy".into()), again: true });
    assert_eq!(trial.line("old"), Next::Go);
    let (request, _) = trial.ask("new");
    assert_eq!(request, Request::ChangePassword { old: "old".into(), new: "new".into() });
    assert_eq!(trial.prompt(), "bob> ");
    trial.line("password");
    trial.talk.cancel();
    assert_eq!(trial.prompt(), "bob> ");
}

#[test]
fn friends_who_come_and_go_are_shown_once() {
    let mut trial = Trial::inside_of(Spoken::V2);
    trial.hear(Event::Presence { user: user(2), online: true });
    trial.hear(Event::Presence { user: user(9), online: true });
    assert!(trial.say.is_empty(), "nothing new, and nobody who is known");
    trial.hear(Event::Presence { user: user(2), online: false });
    assert_eq!(trial.say.pop(), Some(Shown::Presence(user(2), "bob".into(), false)));
    let refusal = Refusal { errno: 113, text: "replaced".into(), retry_after_ms: None };
    trial.hear(Event::SignedOut(refusal.clone()));
    trial.hear(Event::Lost { reason: chatd_client::event::Lost::Said(refusal), retry_in: None });
    assert!(matches!(&trial.say[..], [Shown::SignedOut(_)]), "once: {:?}", trial.say);
}
