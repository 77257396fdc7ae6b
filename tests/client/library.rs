//! The library part by itself: what it says again, what it says once, and when it gives up.

use super::screen::until_free;
use super::stand_in::StandIn;
use crate::common::DEADLINE;
use crate::common::chatd::Chatd;
use chatd::chat::model::ids::{GroupId, UserId};
use chatd_client::{Address, Answer, Client, Config, Conversation, Event, Events, Failure, RequestId};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};

#[allow(dead_code)]
#[path = "../../examples/bot.rs"]
mod bot;

pub(super) fn address(address: SocketAddr) -> Address {
    address.to_string().parse().unwrap()
}

pub(super) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// The next event that `pick` wants; others pass by.
pub(super) fn until<T>(events: &mut Events, waited_for: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let mut passed = Vec::new();
    loop {
        let Some(event) = events.next_within(DEADLINE) else { panic!("waited for {waited_for}: {passed:?}") };
        passed.push(event.clone());
        if let Some(picked) = pick(event) {
            return picked;
        }
    }
}

/// A message that the server says is safe.
fn safe(events: &mut Events, wanted: RequestId) {
    let result = settled(events, wanted);
    assert!(matches!(result, Ok(Answer::Safe(_))), "{result:?}");
}

pub(super) fn settled(events: &mut Events, wanted: RequestId) -> Result<Answer, Failure> {
    until(events, "an answer", |event| match event {
        Event::Answered { request_id, result } if request_id == wanted => Some(result),
        _ => None,
    })
}

#[test]
fn what_was_not_acknowledged_is_said_again_under_the_same_cid() {
    let server = StandIn::new();
    let (client, mut events) = Client::connect(Config::new(vec![address(server.address)]));
    let login = client.login(user(1), "pw");
    let mut line = server.accept();
    line.let_in("amy");
    assert_eq!(settled(&mut events, login), Ok(Answer::LoggedIn(user(1))));
    let first = client.say(Conversation::With(user(2)), "first");
    let second = client.say(Conversation::With(user(2)), "second");
    line.grant(6);
    let unanswered = line.hear("the second");
    safe(&mut events, first);
    drop(line);

    until(&mut events, "the loss", |event| matches!(event, Event::Lost { .. }).then_some(()));
    let third = client.say(Conversation::With(user(2)), "third");
    let mut line = server.accept();
    let login = line.hear("the login again");
    assert_eq!((&login["id"], &login["password"]), (&json!(1), &json!("pw")));
    // The old session is still there: it is asked again.
    line.say(&json!({"msgid": 2, "errno": 2, "errmsg": "this account is using, input another!"}));
    line.let_in("amy");
    let again = line.grant(6);
    assert_eq!(again, unanswered, "word for word, with the same cid and time");
    let new = line.grant(6);
    assert_eq!(new["msg"], "third");
    assert_ne!(new["cid"], again["cid"]);
    safe(&mut events, second);
    safe(&mut events, third);
    drop((client, events));
    line.hear_end();
}

#[test]
fn a_message_that_the_server_cannot_store_is_said_again_and_nothing_overtakes_it() {
    let server = StandIn::new();
    let (client, mut events) = Client::connect(Config::new(vec![address(server.address)]));
    client.login(user(1), "pw");
    let mut line = server.accept();
    line.let_in("amy");
    let request_id = client.say(Conversation::With(user(2)), "hello");
    let busy = line.hear("hello");
    line.say(&json!({"msgid": 21, "errno": 110, "cid": busy["cid"], "re": 6, "retry_after_ms": 1}));
    assert_eq!(line.grant(6), busy);
    safe(&mut events, request_id);
    let request_id = client.say(Conversation::With(user(2)), "no");
    let refused = line.hear("no");
    line.say(&json!({"msgid": 21, "errno": 105, "errmsg": "no such user", "cid": refused["cid"], "re": 6}));
    let Err(Failure::Refused(refusal)) = settled(&mut events, request_id) else { panic!("not refused") };
    assert_eq!(refusal.errno, 105);
}

#[test]
fn several_servers_are_tried_in_turn_and_a_dead_one_costs_nothing() {
    let dead = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let (first, second) = (StandIn::new(), StandIn::new());
    let addresses = [dead, first.address, second.address].map(address).to_vec();
    let (client, mut events) = Client::connect(Config::new(addresses));
    client.login(user(1), "pw");
    let mut line = first.accept();
    line.let_in("amy");
    until(&mut events, "the login", |event| {
        matches!(event, Event::LoggedIn { again: false, .. }).then_some(())
    });
    // This one is going away for good, and says so.
    line.say(&json!({"msgid": 21, "errno": 114, "errmsg": "the server is stopping, reconnect"}));
    drop((first, line));
    let reason = until(&mut events, "the loss", |event| match event {
        Event::Lost { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    assert!(reason.contains("the server is stopping"), "{reason}");
    second.accept().let_in("amy");
    until(&mut events, "the login", |event| {
        matches!(event, Event::LoggedIn { again: true, .. }).then_some(())
    });
}

#[test]
fn whoever_may_not_come_back_is_told_and_nothing_waits_for_ever() {
    let server = StandIn::new();
    let (client, mut events) = Client::connect(Config::new(vec![address(server.address)]));
    client.login(user(1), "pw");
    server.accept().let_in("amy");
    until(&mut events, "the loss", |event| matches!(event, Event::Lost { .. }).then_some(()));
    let request_id = client.say(Conversation::With(user(2)), "lost?");
    let mut line = server.accept();
    line.hear("the login again");
    line.say(&json!({"msgid": 2, "errno": 1, "errmsg": "id or password is invalid!"}));
    until(&mut events, "the refusal", |event| matches!(event, Event::SignedOut(_)).then_some(()));
    assert_eq!(settled(&mut events, request_id), Err(Failure::LoggedOut));
    let request_id = client.say(Conversation::With(user(2)), "anybody?");
    assert_eq!(settled(&mut events, request_id), Err(Failure::LoggedOut));
}

#[test]
fn a_thousand_requests_may_wait_and_no_more() {
    let server = StandIn::new();
    let mut config = Config::new(vec![address(server.address)]);
    config.most_waiting = 3;
    let (client, mut events) = Client::connect(config);
    client.login(user(1), "pw");
    let mut line = server.accept();
    line.let_in("amy");
    let request_ids: Vec<RequestId> =
        (0..4).map(|n| client.say(Conversation::With(user(2)), n.to_string())).collect();
    assert_eq!(settled(&mut events, request_ids[3]), Err(Failure::Full));
    for _ in 0..3 {
        line.grant(6);
    }
    safe(&mut events, request_ids[2]);
}

/// The real server stores once what is said twice.
#[test]
fn a_message_said_again_after_a_crash_is_stored_once() {
    let mut chatd = Chatd::start_lasting(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (port, data) = (chatd.address.port(), chatd.data.clone());
    let (client, mut events) = Client::connect(Config::new(vec![address(chatd.address)]));
    let login = client.login(user(amy.id), amy.password.as_str());
    settled(&mut events, login).unwrap();
    let request_ids: Vec<RequestId> =
        (0..200).map(|n| client.say(Conversation::With(user(ben.id)), format!("m{n}"))).collect();
    // Somewhere in the middle.
    settled(&mut events, request_ids[50]).unwrap();
    chatd.end(libc::SIGKILL);
    until_free(port);
    let chatd = crate::common::chatd::Setup::new(1).port(port).data(&data).start();
    settled(&mut events, request_ids[199]).unwrap();
    let mut reader = chatd.connect();
    let messages = reader.login_with_backlog(&ben, 200);
    assert_eq!(
        crate::common::client::texts(&messages),
        (0..200).map(|n| format!("m{n}")).collect::<Vec<_>>()
    );
    reader.hear_nothing();
}

#[test]
fn the_echo_bot_answers_and_is_short() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bot.rs")).unwrap();
    assert!(source.lines().count() < 60);
    let chatd = Chatd::start(1);
    let (bot, amy) = (chatd.register("bot"), chatd.register("amy"));
    let mut writer = chatd.enter(&amy);
    let group = writer.create_group("tea");
    let server = address(chatd.address);
    let groups = [GroupId::new(group).unwrap()];
    let running = move || bot::echo(server, "bot".into(), &bot.password, &groups).is_ok();
    std::thread::spawn(running);
    writer.say(json!({"msgid": 6, "id": amy.id, "toid": 1, "msg": "hello bot"}));
    writer.hear_msg("hello bot");
    writer.group_chat(group, "and all");
    writer.hear_msg("amy said: and all");
}

#[test]
fn a_bot_that_may_not_log_in_ends() {
    let chatd = Chatd::start(1);
    let bot = chatd.register("bot");
    let refused = bot::echo(address(chatd.address), user(bot.id).into(), "wrong", &[]);
    assert!(refused.unwrap_err().to_string().contains("id or password is invalid!"));
}
