//! All that there is of a user: given out line by line, or forgotten.

use super::acts::{Planned, cid_or_new, shown};
use super::body::{Body, Refused};
use super::groups::asks;
use super::work::{Came, Next, Work, errno, find};
use crate::acts::Deed;
use chatd_chat::model::act::{AccountAct, AccountName, Actor};
use chatd_chat::wire::code::Code;
use chatd_chat::wire::msgid;
use serde_json::{Value, json};
use std::collections::VecDeque;

fn busy() -> Refused {
    Refused(Code::Busy, Code::Busy.text().to_owned())
}

/// Takes a user out of its groups, dissolving those that it owns, and then forgets who it was.
#[derive(Debug)]
struct Erase {
    name: AccountName,
    actor: Option<Actor>,
    /// The groups that it is still in, once they are known.
    groups: Option<VecDeque<u64>>,
    erasing: bool,
    cid: String,
}

pub(super) fn erase(body: &mut Body) -> Result<Planned, Refused> {
    let (name, cid) = (body.user("user")?, cid_or_new(body)?);
    let about = shown(&name);
    let erase = Erase { name, actor: None, groups: None, erasing: false, cid };
    Ok(Planned { about, work: Box::new(erase) })
}

impl Work for Erase {
    fn go_on(&mut self, came: Came) -> Result<Next, Refused> {
        let bytes = match came {
            Came::Nothing => return Ok(Next::Find(self.name.clone())),
            Came::Found(actor) => {
                let user = actor.user;
                self.actor = Some(actor);
                return Ok(Next::Call(user, Deed::Account(AccountAct::Groups { user, owned: None })));
            }
            Came::Answer(bytes) => bytes,
        };
        let actor = self.actor.clone().ok_or_else(busy)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| busy())?;
        // Who left meanwhile is out, too.
        let is_out = |errno: u64| {
            [0, u64::from(Code::NotAMember.errno()), u64::from(Code::NoSuchGroup.errno())].contains(&errno)
        };
        match (&mut self.groups, self.erasing) {
            (_, true) => return Ok(Next::Done(bytes)),
            (None, false) if errno(&answer) == 0 => {
                let groups = answer["groups"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                self.groups = Some(groups.collect());
            }
            (Some(groups), false) if is_out(errno(&answer)) => drop(groups.pop_front()),
            _ => return Ok(Next::Done(bytes)),
        }
        if let Some(group) = self.groups.as_ref().and_then(VecDeque::front) {
            let frame = json!({ "msgid": msgid::DEL_GROUP, "id": actor.user.get(), "groupid": group, "cid": self.cid });
            let (user, deed) = asks(&actor, &frame);
            return Ok(Next::Call(user, deed));
        }
        self.erasing = true;
        Ok(Next::Call(actor.user, Deed::Account(AccountAct::Erase(actor.user))))
    }
}

/// Conversations in a page of them, and messages in a page of one: few enough that nobody else waits for them.
const PAGE: u64 = 100;

/// Gives out an account, its conversations, and what was said there: a line a thing, a page at a time.
#[derive(Debug)]
struct Export {
    name: AccountName,
    actor: Option<Actor>,
    stage: ExportStage,
    /// Conversations of this page that are still to be given out: what names them, and the place after which they go on.
    conversations: VecDeque<(Value, u64)>,
    /// Where the next page of conversations goes on; `None` after the last one.
    before_mid: Option<Value>,
    /// What is to be done once what was written is gone.
    next: Option<Next>,
}

#[derive(Debug)]
enum ExportStage {
    Finding,
    Account,
    Conversations,
    Messages,
}

pub(super) fn export(body: &mut Body) -> Result<Planned, Refused> {
    let name = body.user("user")?;
    let about = shown(&name);
    let stage = ExportStage::Finding;
    let export =
        Export { name, actor: None, stage, conversations: VecDeque::new(), before_mid: None, next: None };
    Ok(Planned { about, work: Box::new(export) })
}

fn line(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(value.to_string().as_bytes());
    out.push(b'\n');
}

impl Export {
    /// Asks for the next page of the conversation that is first, or of conversations, or is through.
    fn ask(&mut self, actor: &Actor) -> Next {
        let frame = match (self.conversations.front(), &self.before_mid) {
            (Some((named, after)), _) => {
                self.stage = ExportStage::Messages;
                let mut frame =
                    json!({ "msgid": msgid::HISTORY, "after": after, "limit": PAGE, "cid": "api" });
                for name in ["with", "groupid"] {
                    if !named[name].is_null() {
                        frame[name] = named[name].clone();
                    }
                }
                frame
            }
            (None, Some(before)) => {
                self.stage = ExportStage::Conversations;
                let mut frame = json!({ "msgid": msgid::SYNC, "limit": PAGE, "cid": "api" });
                if !before.is_null() {
                    frame["before_mid"] = before.clone();
                }
                frame
            }
            (None, None) => return Next::End,
        };
        let (user, deed) = asks(actor, &frame);
        Next::Call(user, deed)
    }

    /// A page of conversations: a line each, and each is given out after that.
    fn take_conversations(&mut self, out: &mut Vec<u8>, answer: &Value) {
        let heads = answer["heads"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_last = answer["heads_complete"] != false || heads.is_empty();
        self.before_mid = heads.last().filter(|_| !is_last).map(|head| head["mid"].clone());
        for head in heads {
            line(out, &json!({ "conversation": head }));
            self.conversations.push_back((head.clone(), 0));
        }
    }

    /// A page of what was said: a line each.
    fn take_messages(&mut self, out: &mut Vec<u8>, answer: &Value) {
        let Some((named, after)) = self.conversations.front_mut() else { return };
        let messages = answer["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        for message in messages {
            let mut message = message.clone();
            for name in ["with", "groupid"] {
                if !named[name].is_null() {
                    message[name] = named[name].clone();
                }
            }
            *after = message["pos"].as_u64().unwrap_or(*after).max(*after);
            line(out, &json!({ "message": message }));
        }
        // A group that the user has left meanwhile has nothing more for it.
        if messages.is_empty() || errno(answer) != 0 {
            self.conversations.pop_front();
        }
    }
}

impl Work for Export {
    fn go_on(&mut self, came: Came) -> Result<Next, Refused> {
        let bytes = match came {
            Came::Nothing => match self.next.take() {
                Some(next) => return Ok(next),
                None => return Ok(Next::Find(self.name.clone())),
            },
            Came::Found(actor) => {
                let user = actor.user;
                self.actor = Some(actor);
                self.stage = ExportStage::Account;
                return Ok(Next::Call(user, find(&AccountName::Id(user))));
            }
            Came::Answer(bytes) => bytes,
        };
        let actor = self.actor.clone().ok_or_else(busy)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| busy())?;
        let mut out = Vec::new();
        match self.stage {
            ExportStage::Finding => {}
            ExportStage::Account => {
                line(&mut out, &json!({ "account": answer }));
                self.before_mid = Some(Value::Null);
            }
            ExportStage::Conversations if errno(&answer) == 0 => self.take_conversations(&mut out, &answer),
            // What has begun as lines ends as one: whoever reads it sees that it is not all.
            ExportStage::Conversations => {
                line(&mut out, &json!({ "error": answer }));
                self.next = Some(Next::End);
                return Ok(Next::Part(out));
            }
            ExportStage::Messages if errno(&answer) == u64::from(Code::Busy.errno()) => {
                line(&mut out, &json!({ "error": answer }));
                self.next = Some(Next::End);
                return Ok(Next::Part(out));
            }
            ExportStage::Messages => self.take_messages(&mut out, &answer),
        }
        let next = match self.ask(&actor) {
            Next::End => {
                line(&mut out, &json!({ "end": true }));
                Next::End
            }
            next => next,
        };
        if out.is_empty() {
            return Ok(next);
        }
        self.next = Some(next);
        Ok(Next::Part(out))
    }
}
