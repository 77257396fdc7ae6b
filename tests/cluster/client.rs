//! The client's library in a cluster: its server dies, and it goes on with another one.

use crate::common::DEADLINE;
use crate::common::chatd::Chatd;
use crate::common::client::User;
use crate::common::cluster::Backends;
use chatd::chat::model::ids::UserId;
use chatd_client::{Answer, Client, Config, Conversation, Event, Events, RequestId};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// What each says.
const EACH: usize = 300;
/// After so many the server of one of them is killed.
const MIDDLE: usize = 60;

/// What somebody has heard, in order, and how often that one came back.
#[derive(Debug, Default)]
struct Heard {
    texts: Vec<String>,
    returns: usize,
}

/// Talks to somebody until everything is said and heard. `middle` is told when a part of it is safe.
fn talk(
    servers: &[SocketAddr],
    me: &User,
    to: &User,
    middle: Option<Sender<()>>,
    begin: Sender<()>,
) -> JoinHandle<Heard> {
    let addresses = servers.iter().map(|server| server.to_string().parse().unwrap()).collect();
    let (me, to) = (me.clone(), Conversation::With(UserId::new(to.id).unwrap()));
    thread::spawn(move || {
        let (client, mut events) = Client::connect(Config::new(addresses));
        let login = client.login(me.name.as_str(), me.password.as_str());
        let (mut heard, mut said, mut safe) = (Heard::default(), Vec::<RequestId>::new(), 0);
        while heard.texts.len() < EACH || safe < EACH {
            let event = events.next_within(DEADLINE);
            match event.unwrap_or_else(|| panic!("{} waited, with {safe} safe and {heard:?}", me.name)) {
                Event::Answered { request_id, result } if request_id == login => {
                    result.unwrap();
                    said = (0..EACH).map(|n| client.say(to, format!("{} {n}", me.name))).collect();
                    begin.send(()).unwrap();
                }
                Event::Answered { request_id, result } => {
                    assert!(
                        said.contains(&request_id) && matches!(result, Ok(Answer::Safe(_))),
                        "{result:?}"
                    );
                    safe += 1;
                    if let Some(middle) = middle.as_ref().filter(|_| safe == MIDDLE) {
                        middle.send(()).unwrap();
                    }
                }
                Event::Message(message) => heard.texts.push(message.text),
                Event::LoggedIn { again: true, .. } => heard.returns += 1,
                Event::SignedOut(refusal) => panic!("{} may not come back: {refusal}", me.name),
                _ => {}
            }
        }
        heard
    })
}

#[test]
fn whose_server_is_killed_goes_on_elsewhere_and_nothing_is_lost_or_told_twice() {
    let mut cluster = Backends::of_all_tests().share().cluster(2);
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let [first, second] = cluster.servers.each_ref().map(|server| server.address);
    let ((begin, begun), (tell, middle)) = (mpsc::channel(), mpsc::channel());
    let bens = talk(&[second], &ben, &amy, None, begin.clone());
    let amys = talk(&[first, second], &amy, &ben, Some(tell), begin);
    for _ in 0..2 {
        begun.recv_timeout(DEADLINE).expect("both are in");
    }
    middle.recv_timeout(DEADLINE).expect("some of it is safe");
    cluster.servers[0].end(libc::SIGKILL);
    let (amys, bens) = (amys.join().unwrap(), bens.join().unwrap());
    assert_eq!((amys.returns, bens.returns), (1, 0));
    for (heard, who) in [(amys, "ben"), (bens, "amy")] {
        let mut texts = heard.texts;
        texts.sort_by_key(|text| text[4..].parse::<usize>().unwrap());
        assert_eq!(texts, (0..EACH).map(|n| format!("{who} {n}")).collect::<Vec<_>>());
    }
}

/// A server that hangs keeps its connections, and says nothing on them.
#[test]
fn whose_server_hangs_goes_on_elsewhere() {
    let cluster = Backends::of_all_tests().share().cluster(1);
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let [first, second] = &cluster.servers;
    let connect = |servers: &[&Chatd]| {
        let addresses = servers.iter().map(|server| server.address.to_string().parse().unwrap());
        Client::connect(Config::new(addresses.collect()))
    };
    let (reader, mut read) = connect(&[second]);
    reader.login("ben", ben.password.as_str());
    let (client, mut events) = connect(&[first, second]);
    client.login("amy", amy.password.as_str());
    let to = Conversation::With(UserId::new(ben.id).unwrap());
    let mut say = |text: &str| {
        let request_id = client.say(to, text);
        assert!(is_safe(&mut events, request_id), "{text}");
    };
    say("before");
    first.signal(libc::SIGSTOP);
    say("is anybody there?");
    // What had come to the first one meanwhile is the same message, and told once.
    first.signal(libc::SIGCONT);
    say("after");
    for text in ["before", "is anybody there?", "after"] {
        assert_eq!(next_text(&mut read), text);
    }
}

/// The next message.
fn next_text(events: &mut Events) -> String {
    loop {
        if let Event::Message(message) = events.next_within(DEADLINE).expect("a message comes") {
            return message.text;
        }
    }
}

/// Whether the server says so in the end.
fn is_safe(events: &mut Events, wanted: RequestId) -> bool {
    loop {
        match events.next_within(DEADLINE).expect("it is answered") {
            Event::Answered { request_id, result } if request_id == wanted => {
                return matches!(result, Ok(Answer::Safe(_)));
            }
            _ => {}
        }
    }
}
