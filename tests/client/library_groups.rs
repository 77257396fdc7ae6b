//! Groups that are run, with the library and with chat, on the real server.

use super::library::user;
use super::program::Program;
use super::screen::{Screen, until_free};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::User;
use chatd::chat::model::ids::GroupId;
use chatd_client::{
    Answer, Conversation, Device, Extras, GroupChange, GroupEvent, Joining, Muted, Request, Role, Row,
    Somebody, Span, Until,
};

fn create(program: &mut Program, name: &str) -> GroupId {
    match program.settle(Request::CreateGroup { name: name.into(), desc: String::new() }) {
        Answer::Group(group) => group,
        other => panic!("{other:?}"),
    }
}

fn somebody(who: &User) -> Somebody {
    Somebody { id: user(who.id), name: who.name.clone() }
}

/// Who did what, to whom, in the order in which it was told.
fn deeds(events: &[GroupEvent]) -> Vec<(Somebody, Option<Somebody>, GroupChange)> {
    events.iter().map(|event| (event.by.clone(), event.whom.clone(), event.what.clone())).collect()
}

#[test]
fn what_is_done_to_a_group_is_told_to_its_members_and_is_in_its_history() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let group = create(&mut amys, "tea");
    let here = Conversation::In(group);
    assert_eq!(bens.settle(Request::AddGroup(group)), Answer::Group(group));
    amys.until_happened(1);
    let ruled = |answer| match answer {
        Answer::Ruled(mark) => mark.pos.expect("a place"),
        other => panic!("{other:?}"),
    };
    let role = ruled(amys.settle(Request::SetRole { group, user: user(ben.id), role: Role::Admin }));
    let set =
        Request::SetGroup { group, name: Some("tea room".into()), desc: None, join: Some(Joining::Ask) };
    assert_eq!(ruled(amys.settle(set)), role + 1);
    let whom = Muted::Member(user(ben.id));
    ruled(amys.settle(Request::Mute { group, whom, until: Until::Ever }));
    bens.until_happened(3);
    let (by, ben_) = (somebody(&amy), || Some(somebody(&ben)));
    assert_eq!(
        deeds(&bens.happened),
        [
            (by.clone(), ben_(), GroupChange::Role(Role::Admin)),
            (
                by.clone(),
                None,
                GroupChange::Set { name: Some("tea room".into()), desc: None, join: Some(Joining::Ask) }
            ),
            (by.clone(), ben_(), GroupChange::Muted(Until::Ever)),
        ]
    );
    assert_eq!(bens.happened[0].mark.pos, Some(role));
    let say = Request::Say { to: here, text: "hello".into(), time: "t".into(), extras: Extras::default() };
    assert_eq!(bens.refused(say.clone()), 118);
    let Answer::Members { members, .. } = amys.settle(Request::Members { group, after: None, limit: 9 })
    else {
        panic!()
    };
    let known: Vec<_> =
        members.iter().map(|member| (member.person.name.as_str(), member.role, member.muted)).collect();
    assert_eq!(known, [("amy", Role::Owner, Until::Lifted), ("ben", Role::Admin, Until::Ever)]);
    ruled(amys.settle(Request::Mute { group, whom, until: Until::Lifted }));
    assert!(matches!(bens.settle(say), Answer::Safe(_)));
    assert_eq!(bens.refused(Request::SetRole { group, user: user(amy.id), role: Role::Normal }), 104);

    let page = Request::History { of: here, span: Span::Latest, limit: 50 };
    let Answer::History { rows, complete: true, .. } = bens.settle(page) else { panic!() };
    let places: Vec<u64> = rows.iter().filter_map(Row::pos).collect();
    let first = places[0];
    assert_eq!(places, (first..first + places.len() as u64).collect::<Vec<_>>(), "{rows:#?}");
    let kinds: Vec<bool> = rows.iter().map(|row| matches!(row, Row::Happened(_))).collect();
    assert_eq!(kinds.iter().filter(|is_event| !**is_event).count(), 1);
    assert!(matches!(rows.last(), Some(Row::Said(said)) if said.text == "hello"));
}

#[test]
fn whoever_asks_to_join_is_let_in_or_not_and_whoever_is_kicked_is_out() {
    let chatd = Chatd::start(2);
    let (amy, ben, cat) = (chatd.register("amy"), chatd.register("ben"), chatd.register("cat"));
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let mut cats = Program::start(chatd.address, &cat, Device::beside_others("desk"));
    let group = create(&mut amys, "tea");
    amys.settle(Request::SetGroup { group, name: None, desc: None, join: Some(Joining::Ask) });
    for program in [&mut bens, &mut cats] {
        assert_eq!(program.refused(Request::AddGroup(group)), 119);
    }
    amys.until_happened(2);
    assert!(amys.happened.iter().all(|event| event.what == GroupChange::Asks && event.mark.pos.is_none()));
    let Answer::Joins(asking) = amys.settle(Request::Joins(group)) else { panic!() };
    let names: Vec<&str> = asking.iter().map(|person| person.name.as_str()).collect();
    assert_eq!(names, ["ben", "cat"]);
    let answer = |who: &User, yes| Request::AnswerJoin { group, user: user(who.id), yes };
    assert!(matches!(amys.settle(answer(&ben, true)), Answer::Ruled(_)));
    amys.settle(answer(&cat, false));
    bens.until_happened(1);
    assert_eq!(deeds(&bens.happened), [(somebody(&amy), Some(somebody(&ben)), GroupChange::Joined)]);
    cats.until_happened(1);
    let refused = &cats.happened[0];
    assert_eq!((refused.concerns().id, &refused.what), (user(cat.id), &GroupChange::Refused));

    amys.settle(Request::Kick { group, user: user(ben.id), ban: Until::Ever });
    bens.until_happened(2);
    assert_eq!(bens.happened[1].what, GroupChange::Kicked(Until::Ever));
    let say = Request::Say {
        to: Conversation::In(group),
        text: "hello".into(),
        time: "t".into(),
        extras: Extras::default(),
    };
    assert_eq!((bens.refused(say), bens.refused(Request::AddGroup(group))), (107, 104));
    amys.settle(Request::Kick { group, user: user(ben.id), ban: Until::Lifted });
    assert_eq!(bens.refused(Request::AddGroup(group)), 119, "the ban is over");
}

/// Rows of events have their places among the messages: a device that was away is told all of it, in order.
#[test]
fn events_and_messages_that_were_missed_are_told_in_their_order() {
    const EACH: u64 = 30;
    let mut chatd = Chatd::start_lasting(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (port, data) = (chatd.address.port(), chatd.data.clone());
    let mut amys = Program::start(chatd.address, &amy, Device::beside_others("desk"));
    let mut bens = Program::start(chatd.address, &ben, Device::beside_others("desk"));
    let group = create(&mut amys, "tea");
    let here = Conversation::In(group);
    bens.settle(Request::AddGroup(group));
    let before = amys.placed(here, "m0");
    bens.until_up_to(before);
    let mut last = None;
    for n in 1..=EACH {
        let desc = Some(format!("d{n}"));
        amys.client.ask(Request::SetGroup { group, name: None, desc, join: None });
        last = Some(amys.client.say(here, format!("m{n}")));
        if n == EACH / 2 {
            amys.answer(last.unwrap()).unwrap();
            chatd.end(libc::SIGKILL);
            until_free(port);
        }
    }
    let _chatd = Setup::new(2).port(port).data(&data).start();
    amys.answer(last.unwrap()).unwrap();
    bens.until_up_to(before + 2 * EACH);
    let texts: Vec<String> = bens.told.iter().map(|message| message.text.clone()).collect();
    assert_eq!(texts, (0..=EACH).map(|n| format!("m{n}")).collect::<Vec<_>>());
    let set: Vec<GroupChange> = (bens.happened.iter().map(|event| event.what.clone()))
        .filter(|what| matches!(what, GroupChange::Set { .. }))
        .collect();
    let wanted = (1..=EACH).map(|n| GroupChange::Set { name: None, desc: Some(format!("d{n}")), join: None });
    assert_eq!(set, wanted.collect::<Vec<_>>());
}

#[test]
fn people_run_a_group_by_words() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut amys = Screen::enter(chatd.address, amy.id, &amy.password);
    let mut bens = Screen::enter(chatd.address, ben.id, &ben.password);
    amys.line("creategroup:tea:at four");
    amys.see("group #tea is made: its id is 1");
    amys.line("/open #tea");
    amys.line("/group join ask");
    amys.see("#tea: you let those join who ask and are let in");
    bens.line("addgroup:1");
    bens.see("#1 is not joined: asked for, wait for the answer (errno 119)");
    amys.see("#tea: ben asks to join (/joins, /accept WHO, /refuse WHO)");
    amys.line("/joins");
    amys.see("1 user asks to join #tea");
    amys.line("/accept ben");
    amys.see("#tea: you let ben in");
    bens.see("amy let you in");
    bens.line("/open #1");
    amys.line("/mute ben 2h");
    amys.see("#tea: ben was muted by you until ");
    bens.see("you were muted by amy until ");
    bens.line("hello?");
    bens.see("not said to #1 (hello?): muted in this group (errno 118)");
    amys.line("/unmute ben");
    bens.see("amy let you speak again");
    amys.line("/role ben admin");
    bens.see("you were made an admin by amy");
    amys.line("/members");
    amys.see("ben  online  admin");
    bens.line("/group name green tea");
    bens.see("you called it #green tea");
    amys.see("#tea: ben called it #green tea");
    amys.line("/kick ben");
    amys.see("#green tea: ben was sent away by you");
    bens.see("you were sent away by amy");
    bens.line("hello?");
    bens.see("no such command: hello?");
    amys.line("/history");
    amys.see("ben was sent away by you");
}
