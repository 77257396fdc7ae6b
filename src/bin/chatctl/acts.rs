//! What a command asks of the server: the act, and its JSON.

use super::exit::Exit;
use super::options::{
    Announce, Call, Command, Device, Erase, Groups, History, Issue, Join, Members, PutGroup, PutUser, Role,
    Send, Sessions, Tokens, Users,
};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Read, Write, stdin};

/// An act of the API.
#[derive(Debug)]
pub struct Asked {
    /// Its name: `users.put`.
    pub act: String,
    /// Its fields.
    pub body: Value,
    /// Whether it is answered line by line, for as long as that takes.
    pub is_streamed: bool,
}

type Failed = (Exit, String);

/// What a command asks.
///
/// # Errors
/// If it cannot be meant, or is not confirmed.
pub fn asked(command: &Command) -> Result<Asked, Failed> {
    match command {
        Command::Users(Users::Put(put)) => Ok(put_user(put)),
        Command::Tokens(Tokens::Issue(Issue { user, device, cid })) => {
            let fields = [("user", Some(user_of(user))), ("device", text(device)), ("cid", text(cid))];
            Ok(act("tokens.issue", fields))
        }
        Command::Tokens(Tokens::Revoke(device)) => Ok(of_device("tokens.revoke", device)),
        Command::Groups(Groups::Put(put)) => Ok(put_group(put)),
        Command::Groups(Groups::Members(members)) => members_of(members),
        Command::Sessions(Sessions::List(of)) => {
            Ok(act("sessions.list", [("user", Some(user_of(&of.user)))]))
        }
        Command::Sessions(Sessions::Kick(device)) => Ok(of_device("sessions.kick", device)),
        Command::Send(send) => message(send),
        Command::Announce(announce) => announcement(announce),
        Command::History(history) => Ok(page(history)),
        Command::Export(of) => {
            Ok(Asked { is_streamed: true, ..act("export", [("user", Some(user_of(&of.user)))]) })
        }
        Command::Erase(erase) => erasure(erase),
        Command::Drain => Ok(act("drain", [])),
        Command::Call(Call { act, body }) => Ok(Asked {
            act: act.clone(),
            body: object("JSON", &or_stdin(body)?)?,
            is_streamed: act == "export",
        }),
        Command::Backup(_) | Command::Verify(_) | Command::Restore(_) => {
            Err((Exit::Usage, "a backup is not asked of the server".to_owned()))
        }
    }
}

/// An act with those of its fields that were said.
fn act<const N: usize>(name: &str, fields: [(&str, Option<Value>); N]) -> Asked {
    let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Asked { act: name.to_owned(), body: Value::Object(said.collect::<Map<_, _>>()), is_streamed: false }
}

fn text(said: &Option<String>) -> Option<Value> {
    said.as_deref().map(Into::into)
}

/// A user as it was typed: `7`, `ext:u-1`, `amy`, `name:7`.
fn user_of(said: &str) -> Value {
    match (said.parse::<u64>(), said.split_once(':')) {
        (Ok(id), _) => json!({ "id": id }),
        (_, Some(("ext", external))) => json!({ "external": external }),
        (_, Some(("name", name))) => json!({ "name": name }),
        (_, _) => json!({ "name": said }),
    }
}

fn put_user(put: &PutUser) -> Asked {
    let disabled = if put.disable {
        Some(true)
    } else if put.enable {
        Some(false)
    } else {
        None
    };
    let mut asked = act("users.put", [("name", text(&put.name)), ("disabled", disabled.map(Into::into))]);
    if let (Value::Object(fields), Value::Object(who)) = (&mut asked.body, user_of(&put.user)) {
        fields.extend(who);
    }
    asked
}

fn of_device(name: &str, device: &Device) -> Asked {
    act(name, [("user", Some(user_of(&device.user))), ("deviceid", text(&device.deviceid))])
}

fn put_group(put: &PutGroup) -> Asked {
    let join = put.join.map(|join| match join {
        Join::Open => "open",
        Join::Ask => "ask",
        Join::Closed => "closed",
    });
    let fields = [
        ("groupid", put.groupid.map(Into::into)),
        ("owner", Some(user_of(&put.owner))),
        ("name", text(&put.name)),
        ("desc", text(&put.desc)),
        ("join", join.map(Into::into)),
    ];
    act("groups.put", fields)
}

fn members_of(members: &Members) -> Result<Asked, Failed> {
    if members.add.is_empty() && members.remove.is_empty() {
        return Err((Exit::Usage, "groups members: say --add or --remove".to_owned()));
    }
    let role = members.role.map(|role| match role {
        Role::Admin => "admin",
        Role::Normal => "normal",
    });
    let users = |said: &[String]| -> Option<Value> {
        (!said.is_empty()).then(|| said.iter().map(|user| user_of(user)).collect())
    };
    let fields = [
        ("groupid", Some(members.groupid.into())),
        ("by", Some(user_of(&members.by))),
        ("add", users(&members.add)),
        ("remove", users(&members.remove)),
        ("role", role.map(Into::into)),
    ];
    Ok(act("groups.members", fields))
}

fn message(send: &Send) -> Result<Asked, Failed> {
    let data = send.data.as_deref().map(|data| object("--data", data)).transpose()?;
    let cid = send.cid.clone().map_or_else(new_cid, Ok)?;
    let fields = [
        ("from", Some(user_of(&send.from))),
        ("with", send.to.as_deref().map(user_of)),
        ("groupid", send.group.map(Into::into)),
        ("msg", Some(or_stdin(&send.text)?.into())),
        ("data", data),
        ("reply", send.reply.map(Into::into)),
        ("cid", Some(cid.into())),
    ];
    Ok(act("messages.send", fields))
}

fn announcement(announce: &Announce) -> Result<Asked, Failed> {
    let cid = announce.cid.clone().map_or_else(new_cid, Ok)?;
    let text = or_stdin(&announce.text)?;
    Ok(act("announce", [("msg", Some(text.into())), ("cid", Some(cid.into()))]))
}

fn page(history: &History) -> Asked {
    let fields = [
        ("user", Some(user_of(&history.user))),
        ("with", history.other.as_deref().map(user_of)),
        ("groupid", history.group.map(Into::into)),
        ("before", history.before.map(Into::into)),
        ("limit", history.limit.map(Into::into)),
    ];
    act("history", fields)
}

fn erasure(erase: &Erase) -> Result<Asked, Failed> {
    if !erase.yes && !confirmed(&erase.user)? {
        return Err((Exit::Usage, "nobody was erased".to_owned()));
    }
    Ok(act("users.delete", [("user", Some(user_of(&erase.user)))]))
}

/// Asks whoever types. Where nobody does, --yes has to be said.
fn confirmed(user: &str) -> Result<bool, Failed> {
    if !stdin().is_terminal() {
        return Err((Exit::Usage, "erase: nobody is there to ask; say --yes if it is meant".to_owned()));
    }
    eprint!("Forget who {} was? This cannot be undone. Type yes: ", super::visible::visible(user));
    let mut line = String::new();
    std::io::stderr().flush().and_then(|()| stdin().read_line(&mut line)).map_err(unreadable)?;
    Ok(line.trim() == "yes")
}

fn unreadable(error: std::io::Error) -> Failed {
    (Exit::Usage, format!("cannot read standard input: {error}"))
}

fn or_stdin(said: &str) -> Result<String, Failed> {
    if said != "-" {
        return Ok(said.to_owned());
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned))
}

fn object(what: &str, said: &str) -> Result<Value, Failed> {
    match serde_json::from_str(said) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err((Exit::Usage, format!("{what} must be a JSON object"))),
        Err(error) => Err((Exit::Usage, format!("{what}: {error}"))),
    }
}

/// A name that nobody has used.
fn new_cid() -> Result<String, Failed> {
    let mut bytes = [0_u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    filled.map_err(|errno| (Exit::Usage, format!("the system gives no random bytes: {errno}")))?;
    Ok(bytes.iter().fold("ctl-".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use clap::Parser;

    fn said(line: &[&str]) -> Result<(String, Value), String> {
        let options =
            Options::try_parse_from([&["chatctl"], line].concat()).map_err(|error| error.to_string())?;
        asked(&options.command).map(|asked| (asked.act, asked.body)).map_err(|(_, why)| why)
    }

    #[test]
    fn a_command_is_an_act() {
        for (line, act, body) in [
            (
                &["users", "put", "ext:u-1", "--name", "Amy"][..],
                "users.put",
                json!({"external": "u-1", "name": "Amy"}),
            ),
            (&["users", "put", "7", "--disable"], "users.put", json!({"id": 7, "disabled": true})),
            (&["users", "put", "amy", "--enable"], "users.put", json!({"name": "amy", "disabled": false})),
            (
                &["tokens", "issue", "name:7", "--device", "phone"],
                "tokens.issue",
                json!({"user": {"name": "7"}, "device": "phone"}),
            ),
            (&["tokens", "revoke", "7"], "tokens.revoke", json!({"user": {"id": 7}})),
            (
                &["groups", "members", "3", "--by", "1", "--add", "7", "--add", "amy", "--role", "admin"],
                "groups.members",
                json!({"groupid": 3, "by": {"id": 1}, "add": [{"id": 7}, {"name": "amy"}], "role": "admin"}),
            ),
            (
                &["sessions", "kick", "7", "--deviceid", "d"],
                "sessions.kick",
                json!({"user": {"id": 7}, "deviceid": "d"}),
            ),
            (
                &["send", "--from", "7", "--group", "3", "tea", "--cid", "c"],
                "messages.send",
                json!({"from": {"id": 7}, "groupid": 3, "msg": "tea", "cid": "c"}),
            ),
            (&["call", "drain", "{\"cid\":\"x\"}"], "drain", json!({"cid": "x"})),
        ] {
            assert_eq!(said(line), Ok((act.to_owned(), body)), "{line:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_not_asked() {
        for line in [
            &["send", "--from", "7", "tea"][..],
            &["send", "--from", "7", "--to", "8", "--group", "3", "tea"],
            &["send", "--from", "7", "--to", "8", "tea", "--data", "[1]"],
            &["groups", "members", "3", "--by", "1"],
            &["users", "put", "7", "--enable", "--disable"],
            &["call", "drain", "{"],
        ] {
            assert!(said(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn no_two_messages_have_one_cid() {
        assert_ne!(new_cid(), new_cid());
    }
}
