//! Sessions of v2 that move from server to server, by their own will or because one died.

use super::patience::{SOON, until};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, chat, texts};
use crate::common::cluster::Backends;
use serde_json::{Value, json};

fn ask_login(server: &Chatd, user: &User, takeover: bool) -> Client {
    let mut client = server.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "takeover": takeover}));
    client
}

fn enter(server: &Chatd, user: &User) -> (Client, String) {
    let mut client = ask_login(server, user, false);
    let token = client.hear_login()["token"].as_str().expect("a token").to_owned();
    (client, token)
}

/// Resumes, as soon as that is possible, and takes in `count` messages that wait.
fn resume(server: &Chatd, user: &User, token: &str, count: usize) -> (Client, Vec<Value>) {
    let (mut client, answer) = until("a session to be resumed", SOON, || {
        let mut client = server.connect().with_newlines();
        client.id = user.id;
        client.say(json!({"msgid": 25, "token": token}));
        let answer = client.hear("the answer to a RESUME");
        (answer["errno"] == 0).then_some((client, answer))
    });
    assert_eq!(answer["token"], token);
    let mut messages = answer["offlinemsg"].as_array().expect("a list").clone();
    while messages.len() < count {
        messages.push(client.hear("what waits"));
    }
    (client, messages)
}

fn with_cid(mut frame: Value, cid: &str) -> Value {
    frame["cid"] = json!(cid);
    frame
}

#[test]
fn a_session_moves_to_another_server_with_what_it_has_not_confirmed() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let mut writer = enter(&cluster.servers[0], &ben).0;
    let (mut session, token) = enter(&cluster.servers[0], &amy);
    let mut confirmed = Vec::new();
    for round in 0..6 {
        let text = format!("unconfirmed {round}");
        if round % 2 == 0 {
            writer.chat(&amy, &text);
        } else {
            writer.chat_stored(&amy, &text, &text);
        }
        let pushed = session.hear_msg(&text);
        let (mut next, messages) = resume(&cluster.servers[(round + 1) % 2], &amy, &token, 1);
        // The session that ends gives back what it held, perhaps just after that was confirmed here: then it comes again.
        let (new, again) = messages.split_last().expect("one was not confirmed");
        assert_eq!(new, &pushed, "round {round}");
        assert!(
            again.iter().all(|message| confirmed.contains(&message["mid"])),
            "round {round}: {messages:?}"
        );
        session.hear_error_and_end(113);
        let mids: Vec<Value> = messages.iter().map(|message| message["mid"].clone()).collect();
        next.say(json!({"msgid": 24, "mids": mids, "cid": "c"}));
        confirmed.extend(mids);
        next.hear_ack("c");
        session = next;
    }
    session.hear_nothing();
}

#[test]
fn after_kill_9_everything_goes_on_at_the_other_server() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let (mut sender, sender_token) = enter(&cluster.servers[0], &amy);
    let (mut reader, reader_token) = enter(&cluster.servers[0], &ben);
    let texts_sent: Vec<String> = (0..20).map(|number| format!("message {number}")).collect();
    for text in &texts_sent {
        sender.say(with_cid(chat(amy.id, ben.id, text), text));
    }
    let mut acks: Vec<Value> = texts_sent.iter().map(|text| sender.hear_ack(text)).collect();
    let pushed: Vec<Value> = texts_sent.iter().map(|text| reader.hear_msg(text)).collect();
    // One more, of which nobody knows what became of it.
    sender.say(with_cid(chat(amy.id, ben.id, "the last"), "the last"));
    cluster.servers[0].end(libc::SIGKILL);
    let second = &cluster.servers[1];
    let (mut sender, _) = resume(second, &amy, &sender_token, 0);
    sender.say(with_cid(chat(amy.id, ben.id, "the last"), "the last"));
    acks.push(sender.hear_ack("the last"));
    let (mut reader, mut messages) = resume(second, &ben, &reader_token, 21);
    messages.sort_by_key(|message| message["mid"].as_str().map(|mid| mid.parse::<u64>().ok()));
    messages.dedup();
    assert_eq!(messages[..20], pushed, "the same messages, under the same ids");
    assert_eq!(texts(&messages[20..]), ["the last"]);
    let mids: Vec<&Value> = messages.iter().map(|message| &message["mid"]).collect();
    assert_eq!(mids, acks.iter().map(|ack| &ack["mid"]).collect::<Vec<_>>());
    reader.say(json!({"msgid": 26, "with": amy.id, "cid": "h"}));
    let page = reader.hear("the history");
    assert_eq!(page["complete"], true);
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(21));
}

/// A token is worthless everywhere, not only at the server that was told so.
#[test]
fn a_token_is_worthless_at_every_server_from_the_answer_to_the_logout_on() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let amy = cluster.register("amy");
    for round in 0..60 {
        let (mut session, token) = enter(&cluster.servers[round % 2], &amy);
        let mut other = cluster.servers[(round + 1) % 2].connect().with_newlines();
        session.say(json!({"msgid": 3, "id": amy.id, "cid": "l"}));
        session.hear_ack("l");
        other.say(json!({"msgid": 25, "token": token}));
        assert_eq!(other.hear("a refusal")["errno"], 1, "round {round}");
    }
}

#[test]
fn of_takeovers_at_the_same_instant_on_two_servers_one_stays() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let amy = cluster.register("amy");
    let mut holder = enter(&cluster.servers[1], &amy).0;
    for round in 0..10 {
        let rivals = (0..6).map(|number| ask_login(&cluster.servers[number % 2], &amy, true));
        let mut rivals: Vec<Client> = rivals.collect();
        holder.hear_error_and_end(113);
        // Each is let in, or told why not; who was let in may be replaced by another one.
        let mut let_in = Vec::new();
        for mut rival in rivals.drain(..) {
            let answer = rival.hear("an answer or a reason");
            match (answer["msgid"].as_u64(), answer["errno"].as_u64()) {
                (Some(2), Some(0)) => let_in.push(rival),
                (Some(2), Some(2)) => {}
                (Some(21), Some(113)) => rival.hear_end(),
                _ => panic!("round {round}: {answer}"),
            }
        }
        let mut stay: Vec<Client> = let_in
            .into_iter()
            .filter_map(|mut client| {
                client.say(json!({"msgid": 29, "id": client.id}));
                match client.hear("FIND_ACK or a reason")["msgid"].as_u64() {
                    Some(30) => Some(client),
                    _ => None,
                }
            })
            .collect();
        assert_eq!(stay.len(), 1, "round {round}");
        holder = stay.remove(0);
    }
}

#[test]
fn a_readers_word_spares_the_row_across_servers() {
    let shared = Backends::of_all_tests().share();
    let setup = || shared.setup(1).argument("--keep").argument("undelivered");
    let servers = Setup::start_together([setup(), setup()]);
    let (amy, ben, carl) =
        (servers[0].register("amy"), servers[0].register("ben"), servers[0].register("carl"));
    let (mut sender, mut reader) = (enter(&servers[0], &amy).0, enter(&servers[1], &ben).0);
    let mut of_the_seed = servers[1].enter(&carl);
    sender.say(with_cid(chat(amy.id, ben.id, "confirmed"), "c1"));
    let pushed = reader.hear_msg("confirmed");
    reader.say(json!({"msgid": 24, "mids": [pushed["mid"]]}));
    let ack = sender.hear_ack("c1");
    assert_eq!((&ack["mid"], ack.get("pos")), (&pushed["mid"], None), "{ack}");
    // Two who do not confirm: one who could, and one who cannot.
    sender.say(with_cid(chat(amy.id, ben.id, "read, perhaps"), "c2"));
    reader.hear_msg("read, perhaps");
    assert_eq!(sender.hear_ack("c2")["pos"], 1);
    sender.say(with_cid(chat(amy.id, carl.id, "hello"), "c3"));
    of_the_seed.hear_msg("hello");
    assert_eq!(sender.hear_ack("c3")["pos"], 1);
    sender.say(json!({"msgid": 26, "with": ben.id}));
    let page = sender.hear("the history");
    let rows = page["messages"].as_array().expect("a list");
    assert_eq!((texts(rows), &page["complete"]), (vec!["read, perhaps".to_owned()], &json!(false)));
}

#[test]
fn whoever_blocks_somebody_is_offline_to_it_at_other_servers() {
    let cluster = Backends::of_all_tests().share().cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let presence = |state: &str| json!({"msgid": 28, "id": ben.id, "state": state});
    let (mut bens, mut watcher) = (enter(first, &ben).0, enter(second, &amy).0);
    watcher.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id}));
    assert_eq!(watcher.hear("PRESENCE"), presence("online"));
    for (msgid, state) in [(32, "offline"), (33, "online"), (32, "offline")] {
        bens.say(json!({"msgid": msgid, "userid": amy.id, "cid": "block"}));
        bens.hear_ack("block");
        assert_eq!(watcher.hear("PRESENCE"), presence(state));
        watcher.say(json!({"msgid": 29, "id": ben.id}));
        assert_eq!(watcher.hear("FIND_ACK")["state"], state);
        watcher.say(json!({"msgid": 13, "id": amy.id}));
        assert_eq!(watcher.hear("SHOW_FRIENDS_ACK")["friends"][0]["state"], state);
    }
    bens.logout();
    bens.hear_until_logged_out();
    drop(enter(second, &ben));
    watcher.hear_nothing();
    watcher.logout();
    watcher.hear_until_logged_out();
    let _bens = until("Ben to be let in", SOON, || {
        let mut client = ask_login(first, &ben, true);
        (client.hear("the answer to a login")["errno"] == 0).then_some(client)
    });
    let mut watcher = ask_login(first, &amy, false);
    assert_eq!(watcher.hear_login()["friends"][0]["state"], "offline");
}
