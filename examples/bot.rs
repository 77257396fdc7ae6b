//! An echo bot: says back what it is told, to people and in its groups.
//!
//! `BOT_PASSWORD=… cargo run --example bot -- 127.0.0.1:6000 NAME [GROUPID…]`

use chatd::chat::model::ids::GroupId;
use chatd_client::{Address, Client, Config, Conversation, Event, Named, Request};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, name, groups @ ..] = arguments.as_slice() else {
        return Err("usage: bot HOST:PORT NAME [GROUPID…], with BOT_PASSWORD set".into());
    };
    let group =
        |text: &String| text.parse().ok().and_then(GroupId::new).ok_or("a groupid is a number from 1 on");
    let groups = groups.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    echo(server.parse()?, name.as_str().into(), &std::env::var("BOT_PASSWORD")?, &groups)
}

/// Echoes until the login is refused. Lost connections are the library's problem.
pub fn echo(server: Address, me: Named, password: &str, groups: &[GroupId]) -> Result<(), Box<dyn Error>> {
    let (client, events) = Client::connect(Config::new(vec![server]));
    let login = client.login(me, password);
    for &group in groups {
        client.ask(Request::AddGroup(group));
    }
    for event in events {
        match event {
            Event::Message(message) => {
                let text = match message.conversation {
                    Conversation::With(_) => message.text,
                    Conversation::In(_) => format!("{} said: {}", message.name, message.text),
                };
                client.say(message.conversation, text);
            }
            Event::Answered { request_id, result: Err(failure) } if request_id == login => {
                return Err(failure.into());
            }
            Event::Answered { result: Err(failure), .. } => eprintln!("refused: {failure}"),
            Event::Lost { reason, .. } => eprintln!("the connection is lost: {reason}"),
            Event::SignedOut(refusal) => return Err(refusal.into()),
            _ => {}
        }
    }
    Ok(())
}
