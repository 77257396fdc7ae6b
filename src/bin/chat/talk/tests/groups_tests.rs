//! Groups that are run and people who are asked, without a terminal and without a server.

use super::*;
use crate::show::text::Style;
use chatd_chat::model::ids::{GroupId, Millis};
use chatd_client::{
    Asking, Conversation, FriendChange, FriendEvent, Group, GroupChange, GroupEvent, Joining, Muted, Role,
    Settings, Somebody, Until, WhoWrites, clock,
};
use std::time::Duration;

fn tea() -> GroupId {
    GroupId::new(3).unwrap()
}

/// A member of the group of tea, which is open.
fn member() -> Trial {
    let mut trial = Trial::new();
    let mut welcome = Welcome::new(user(1), "amy".into());
    welcome.spoken = Spoken::V2;
    welcome.friends = vec![Person { id: user(2), name: "bob".into(), online: true }];
    welcome.groups = vec![Group::new(tea(), "tea", "")];
    welcome.asking = vec![Asking { id: user(7), name: "cat".into(), note: "hi".into() }];
    trial.hear(Event::LoggedIn { welcome, again: false });
    assert!(
        matches!(&trial.say[..], [Shown::Welcome { .. }, Shown::Friend { news: true, .. }]),
        "{:?}",
        trial.say
    );
    trial.line("/open #tea");
    trial.say.clear();
    trial
}

fn event(by: (u64, &str), whom: Option<(u64, &str)>, what: GroupChange) -> Event {
    let somebody = |(id, name): (u64, &str)| Somebody { id: user(id), name: name.into() };
    Event::Group(GroupEvent::new(tea(), Mark::default(), somebody(by), whom.map(somebody), what))
}

#[test]
fn a_group_is_run_by_lines() {
    let mut trial = member();
    let (group, bob) = (tea(), user(2));
    let (name, desc) = (Some("Tea Room".to_owned()), Some(String::new()));
    for (line, request) in [
        ("/role bob admin", Request::SetRole { group, user: bob, role: Role::Admin }),
        ("/group owner bob", Request::SetRole { group, user: bob, role: Role::Owner }),
        ("/kick bob", Request::Kick { group, user: bob, ban: Until::Lifted }),
        ("/kick bob ever", Request::Kick { group, user: bob, ban: Until::Ever }),
        ("/unban bob", Request::Kick { group, user: bob, ban: Until::Lifted }),
        ("/mute bob", Request::Mute { group, whom: Muted::Member(bob), until: Until::Ever }),
        ("/mute all ever", Request::Mute { group, whom: Muted::All, until: Until::Ever }),
        ("/unmute bob", Request::Mute { group, whom: Muted::Member(bob), until: Until::Lifted }),
        ("/unmute all", Request::Mute { group, whom: Muted::All, until: Until::Lifted }),
        ("/group name Tea Room", Request::SetGroup { group, name, desc: None, join: None }),
        ("/group desc", Request::SetGroup { group, name: None, desc, join: None }),
        (
            "/group #tea join ask",
            Request::SetGroup { group, name: None, desc: None, join: Some(Joining::Ask) },
        ),
        ("/joins", Request::Joins(group)),
        ("/accept bob", Request::AnswerJoin { group, user: bob, yes: true }),
        ("/refuse #tea cat", Request::AnswerJoin { group, user: user(7), yes: false }),
    ] {
        // `cat` has come by: its name is known letter for letter.
        assert_eq!(trial.ask(line).0, request, "{line}");
    }
    trial.line("/close");
    assert_eq!(trial.line("/kick bob"), Next::Bad);
    assert_eq!(trial.say.pop(), Some(Shown::Bad("which group? name it first: #GROUP".into())));
}

#[test]
fn a_time_is_from_now_on() {
    let mut trial = member();
    let Request::Mute { until: Until::At(at), .. } = trial.ask("/mute bob 2h").0 else { panic!() };
    let wait = Duration::from_millis(at.0 - clock::now().0);
    assert!(wait > Duration::from_secs(7_190) && wait <= Duration::from_secs(7_200), "{wait:?}");
    let Request::Kick { ban: Until::At(at), .. } = trial.ask("/kick bob 14:30").0 else { panic!() };
    assert_eq!(&clock::local_time_at(at).unwrap()[11..16], "14:30");
}

#[test]
fn what_is_done_to_a_group_is_told_alike_to_whoever_does_it_and_to_others() {
    let mut trial = member();
    let (_, request_id) = trial.ask("/group name Tea Room");
    trial.settle(request_id, Answer::Ruled(Mark::default()));
    let style = Style { colours: false, short: true, today: String::new() };
    assert_eq!(style.lines(&trial.say.pop().unwrap()), "#Tea Room: you called it #Tea Room\n");
    assert_eq!(trial.prompt(), "#Tea Room> ");
    let until = Until::At(Millis(u64::MAX));
    trial.hear(event((2, "bob"), Some((9, "dan")), GroupChange::Muted(until)));
    assert_eq!(style.lines(&trial.say.pop().unwrap()), "#Tea Room: dan was muted by bob for ever\n");
    assert_eq!(trial.talk.directory.user("dan"), Some(user(9)), "the name has come by");
    trial.hear(event((2, "bob"), Some((1, "amy")), GroupChange::Kicked(Until::Lifted)));
    assert_eq!(style.lines(&trial.say.pop().unwrap()), "#Tea Room: you were sent away by bob\n");
    assert_eq!((trial.prompt(), trial.talk.directory.groups.len()), ("> ".into(), 0));
}

#[test]
fn friendships_are_asked_for_and_answered() {
    let mut trial = member();
    let note = "it is me".to_owned();
    assert_eq!(trial.ask("/ask bob it is me").0, Request::AskFriend { user: user(2), note });
    // In a group, too, somebody who asked is answered.
    let (request, request_id) = trial.ask("/accept cat");
    assert_eq!(request, Request::AnswerFriend { user: user(7), yes: true });
    trial.settle(request_id, Answer::Done);
    assert_eq!(trial.say.pop(), Some(Shown::Done(Deed::Befriended(user(7), "cat".into()))));
    assert_eq!(trial.talk.directory.friends.len(), 2);
    trial.hear(Event::Friend(FriendEvent::new(user(7), Some("cat"), FriendChange::Gone)));
    assert_eq!(trial.talk.directory.friends.len(), 1);
    let settings = Settings { who_writes: Some(WhoWrites::None), read_receipts: None };
    let (request, request_id) = trial.ask("/settings writes none");
    assert_eq!(request, Request::Settings(settings));
    trial.settle(request_id, Answer::Settings(settings));
    assert_eq!(trial.say.pop(), Some(Shown::Settings(settings)));
}

#[test]
fn whoever_is_typing_is_told_of_once_and_only_where_it_is_seen() {
    let mut trial = member();
    let expires = Duration::from_secs(60);
    let typing = |to, on| Event::Typing { conversation: to, by: user(2), on, expires };
    let news = |trial: &mut Trial, to, on| {
        trial.hear(typing(to, on));
        matches!(trial.say.pop(), Some(Shown::Typing { news: true, .. }))
    };
    let here = Conversation::In(tea());
    assert!(!news(&mut trial, Conversation::With(user(2)), true));
    assert!(news(&mut trial, here, true));
    assert!(!news(&mut trial, here, true), "it goes on");
    assert!(!news(&mut trial, here, false));
    assert!(news(&mut trial, here, true), "it begins again");
}
