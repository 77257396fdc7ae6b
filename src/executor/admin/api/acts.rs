//! What may be asked for: which paths there are, which fields each has, and what is done for it.

use super::body::{Body, Refused, invalid};
use super::work::{Came, Next, Once, Work};
use super::{everything, groups};
use crate::acts::Deed;
use chatd_chat::model::act::{AccountAct, AccountName, Actor, Announcement};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::name;
use chatd_chat::wire::msgid;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Whether there is such an act.
pub(super) fn is_act(path: &str) -> bool {
    ACTS.iter().any(|(known, _)| *known == path)
}

/// What is to be done for an act.
type Read = fn(&mut Body) -> Result<Planned, Refused>;

/// An act as it was understood: what the log calls it, and what is done for it.
#[derive(Debug)]
pub(super) struct Planned {
    /// Ids, and never a text of anybody's.
    pub(super) about: String,
    pub(super) work: Box<dyn Work>,
}

const ACTS: &[(&str, Read)] = &[
    ("/v1/users.put", users_put),
    ("/v1/tokens.issue", tokens_issue),
    ("/v1/tokens.revoke", tokens_revoke),
    ("/v1/users.delete", everything::erase),
    ("/v1/groups.put", groups::put),
    ("/v1/groups.members", groups::members),
    ("/v1/messages.send", messages_send),
    ("/v1/history", history),
    ("/v1/sessions.list", sessions_list),
    ("/v1/sessions.kick", tokens_revoke),
    ("/v1/export", everything::export),
    ("/v1/announce", announce),
    ("/v1/drain", drain),
];

/// Reads what is asked for at a path.
///
/// # Errors
/// If it cannot be meant.
pub(super) fn plan(path: &str, bytes: &[u8]) -> Result<Planned, Refused> {
    let read = ACTS.iter().find(|(known, _)| *known == path).map(|(_, read)| read);
    let read = read.ok_or_else(|| invalid("no such act"))?;
    let mut body = Body::read(bytes)?;
    let planned = read(&mut body)?;
    body.finish()?;
    Ok(planned)
}

/// Who it is, as the log has it: never a name, which somebody else may have chosen.
pub(super) fn shown(who: &AccountName) -> String {
    match who {
        AccountName::Id(user) => format!("user {user}"),
        AccountName::External(external) => format!("user external {external:?}"),
        AccountName::Name(_) => "a user by name".to_owned(),
    }
}

fn planned<F>(about: String, names: Vec<AccountName>, deed: F) -> Result<Planned, Refused>
where
    F: FnOnce(Vec<Actor>) -> (UserId, Deed) + Send + 'static,
{
    Ok(Planned { about, work: Box::new(Once::new(names, deed)) })
}

/// The core that serves what is about nobody yet.
pub(super) const ANYBODY: UserId = UserId::new(1).expect("an id");
/// Characters of a name at most, and of what a device is called.
const NAME_CHARS: usize = 50;

fn users_put(body: &mut Body) -> Result<Planned, Refused> {
    let who = body.itself()?;
    let name = match who {
        AccountName::Name(_) => None,
        AccountName::Id(_) | AccountName::External(_) => body.optional_text("name")?,
    };
    let (disabled, _) = (body.flag("disabled")?, body.cid()?);
    let who = match who {
        AccountName::Name(text) => {
            let text = name::check(&text, NAME_CHARS).map_err(|why| invalid(format!("name: {why}")))?;
            AccountName::Name(text.into())
        }
        who @ (AccountName::Id(_) | AccountName::External(_)) => who,
    };
    let state = match disabled {
        Some(true) => " disabled",
        Some(false) => " enabled",
        None => "",
    };
    let about = format!("{}{state}", shown(&who));
    let act = AccountAct::Put { who, name: name.map(Into::into), disabled };
    planned(about, Vec::new(), move |_| (ANYBODY, Deed::Account(act)))
}

fn tokens_issue(body: &mut Body) -> Result<Planned, Refused> {
    let (user, device, cid) = (body.user("user")?, body.optional_text("device")?, body.cid()?);
    if device.as_ref().is_some_and(|device| device.is_empty() || device.chars().count() > NAME_CHARS) {
        return Err(invalid(format!("device must have 1 to {NAME_CHARS} characters")));
    }
    planned(shown(&user), vec![user], move |found| {
        let user = found[0].user;
        let (device, cid) = (device.map(Into::into), cid.map(Into::into));
        (user, Deed::Account(AccountAct::IssueToken { user, device, cid }))
    })
}

/// Both what ends a session and what makes its token worthless: a session whose token is good would come back.
fn tokens_revoke(body: &mut Body) -> Result<Planned, Refused> {
    let (user, device, cid) = (body.user("user")?, body.value("deviceid"), cid_or_any(body)?);
    let about = shown(&user);
    planned(about, vec![user], move |mut found| {
        let actor = found.remove(0);
        let user = actor.user;
        let deed = match device {
            None => Deed::Account(AccountAct::RevokeTokens(user)),
            Some(device) => {
                let frame = json!({ "msgid": msgid::DROP_DEVICE, "deviceid": device, "cid": cid });
                Deed::Frame(actor, frame.to_string().into_bytes())
            }
        };
        (user, deed)
    })
}

/// What an answer is known by where whoever asks gives no name.
fn cid_or_any(body: &mut Body) -> Result<String, Refused> {
    Ok(body.cid()?.unwrap_or_else(|| "api".to_owned()))
}

/// The same where it is a name for good: one that nobody has given before.
pub(super) fn cid_or_new(body: &mut Body) -> Result<String, Refused> {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    Ok(body.cid()?.unwrap_or_else(|| {
        let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64);
        format!("api-{since:x}-{:x}", GIVEN.fetch_add(1, Ordering::Relaxed))
    }))
}

fn history(body: &mut Body) -> Result<Planned, Refused> {
    let (user, with, group) = (body.user("user")?, body.optional_user("with")?, body.optional_group()?);
    let span = ["after", "before", "limit"].map(|name| (name, body.value(name)));
    let names: Vec<AccountName> = match (with, group) {
        (Some(with), None) => vec![user, with],
        (None, Some(_)) => vec![user],
        (Some(_), Some(_)) | (None, None) => return Err(invalid("one of with and groupid is needed")),
    };
    planned(shown(&names[0]), names, move |mut found| {
        let mut frame = json!({ "msgid": msgid::HISTORY, "cid": "api" });
        match (found.get(1), group) {
            (Some(with), _) => frame["with"] = with.user.get().into(),
            (None, group) => frame["groupid"] = group.map(|group| group.get()).into(),
        }
        for (name, value) in span {
            if let Some(value) = value {
                frame[name] = value;
            }
        }
        groups::asks(&found.swap_remove(0), &frame)
    })
}

fn sessions_list(body: &mut Body) -> Result<Planned, Refused> {
    let user = body.user("user")?;
    planned(shown(&user), vec![user], |found| {
        groups::asks(&found[0], &json!({ "msgid": msgid::DEVICES, "cid": "api" }))
    })
}

/// The server stops, as SIGTERM stops it.
#[derive(Debug)]
struct Drain;

impl Work for Drain {
    fn go_on(&mut self, _: Came) -> Result<Next, Refused> {
        Ok(Next::Stop)
    }
}

fn drain(_: &mut Body) -> Result<Planned, Refused> {
    Ok(Planned { about: "this server".to_owned(), work: Box::new(Drain) })
}

fn announce(body: &mut Body) -> Result<Planned, Refused> {
    let (text, cid) = (body.text("msg")?, cid_or_new(body)?);
    if text.trim().is_empty() {
        return Err(invalid("msg is empty"));
    }
    let announcement = Announcement { text: text.into(), cid: cid.into() };
    planned("to everybody".to_owned(), Vec::new(), move |_| (ANYBODY, Deed::Announce(announcement)))
}

fn messages_send(body: &mut Body) -> Result<Planned, Refused> {
    let (from, with, group) = (body.user("from")?, body.optional_user("with")?, body.optional_group()?);
    let (msg, time) = (body.text("msg")?, body.optional_text("time")?);
    let cid =
        body.cid()?.ok_or_else(|| invalid("cid is missing: without one, who repeats this says it twice"))?;
    let (data, reply) = (body.data(), body.value("reply"));
    let about = match (&with, group) {
        (Some(with), None) => format!("{} to {}", shown(&from), shown(with)),
        (None, Some(group)) => format!("{} to group {group}", shown(&from)),
        (Some(_), Some(_)) | (None, None) => return Err(invalid("one of with and groupid is needed")),
    };
    // Whom it is for need not be looked up by its id.
    let to = with.as_ref().and_then(|with| if let AccountName::Id(user) = with { Some(*user) } else { None });
    let names = std::iter::once(from).chain(with.filter(|_| to.is_none())).collect();
    planned(about, names, move |mut found| {
        let to = to.or_else(|| found.get(1).map(|to| to.user));
        let from = found.swap_remove(0);
        let id = from.user;
        let mut frame = json!({ "id": id.get(), "msg": msg, "cid": cid });
        match (to, group) {
            (Some(to), _) => (frame["msgid"], frame["toid"]) = (msgid::ONE_CHAT.into(), to.get().into()),
            (None, group) => {
                (frame["msgid"], frame["groupid"]) =
                    (msgid::GROUP_CHAT.into(), group.map_or(0, |group| group.get()).into());
            }
        }
        for (name, value) in [("time", time.map(Into::into)), ("reply", reply)] {
            if let Some(value) = value {
                frame[name] = value;
            }
        }
        (id, Deed::Frame(from, with_data(frame.to_string(), data.as_deref()).into_bytes()))
    })
}

/// A frame with `data`, as it was sent.
fn with_data(mut frame: String, data: Option<&str>) -> String {
    if let (Some(data), Some('}')) = (data, frame.pop()) {
        frame.push_str(",\"data\":");
        frame.push_str(data);
    }
    frame.push('}');
    frame
}
