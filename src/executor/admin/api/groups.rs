//! Groups: acts of several steps, each of which is a request of somebody who runs the group, or joins it.

use super::acts::{Planned, cid_or_new, shown};
use super::body::{Body, Refused, invalid};
use super::work::{Came, Next, Work, errno};
use crate::acts::Deed;
use chatd_chat::model::act::{AccountAct, AccountName, Actor};
use chatd_chat::model::ids::UserId;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::msgid;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Users whom one act adds or removes at most.
const USERS: usize = 100;
/// Bytes of a cid from which others are made.
const CID_BYTES: usize = 40;

/// What a session of this user asks by this frame.
pub(super) fn asks(actor: &Actor, frame: &Value) -> (UserId, Deed) {
    (actor.user, Deed::Frame(actor.clone(), frame.to_string().into_bytes()))
}

fn call((user, deed): (UserId, Deed)) -> Result<Next, Refused> {
    Ok(Next::Call(user, deed))
}

/// A cid that others are made from.
fn root(body: &mut Body) -> Result<String, Refused> {
    let cid = cid_or_new(body)?;
    if cid.len() > CID_BYTES {
        return Err(invalid(format!(
            "cid has more than {CID_BYTES} bytes, and here others are made from it"
        )));
    }
    Ok(cid)
}

/// Makes a group, or changes one.
#[derive(Debug)]
struct Put {
    owner: AccountName,
    actor: Option<Actor>,
    group: Option<u64>,
    name: Option<String>,
    desc: Option<String>,
    join: Option<String>,
    cid: String,
    stage: PutStage,
}

#[derive(Debug)]
enum PutStage {
    Finding,
    Making,
    /// The owner may have made it before.
    Looking,
    Setting,
}

pub(super) fn put(body: &mut Body) -> Result<Planned, Refused> {
    let (group, owner) = (body.optional_group()?, body.user("owner")?);
    let (name, desc) = (body.optional_text("name")?, body.optional_text("desc")?);
    let (join, cid) = (body.optional_text("join")?, root(body)?);
    if group.is_none() && name.is_none() {
        return Err(invalid("name is missing, or groupid"));
    }
    let group = group.map(|group| u64::from(group.get()));
    let about = format!(
        "{} of {}",
        group.map_or("a new one".to_owned(), |group| format!("group {group}")),
        shown(&owner)
    );
    let put = Put { owner, actor: None, group, name, desc, join, cid, stage: PutStage::Finding };
    Ok(Planned { about, work: Box::new(put) })
}

impl Put {
    /// Sets what a group that is there is to be. One that was found by its name has that; the rest is said in the same
    /// words whether it was made just now or before, so that it is done once.
    fn set(&mut self, actor: &Actor, by_name: bool) -> Result<Next, Refused> {
        let mut frame =
            json!({ "msgid": msgid::GROUP_SET, "groupid": self.group, "cid": format!("{}:set", self.cid) });
        let changes = [
            ("groupname", &self.name, by_name),
            ("groupdesc", &self.desc, false),
            ("join", &self.join, false),
        ];
        let mut any = false;
        for (field, value, has_it) in changes {
            if let (Some(value), false) = (value, has_it) {
                frame[field] = value.as_str().into();
                any = true;
            }
        }
        if !any {
            return Ok(Next::Done(json!({ "errno": 0, "groupid": self.group }).to_string().into_bytes()));
        }
        self.stage = PutStage::Setting;
        call(asks(actor, &frame))
    }
}

impl Work for Put {
    fn go_on(&mut self, came: Came) -> Result<Next, Refused> {
        let actor = match (came, self.actor.clone()) {
            (Came::Nothing, _) => return Ok(Next::Find(self.owner.clone())),
            (Came::Found(actor), _) => {
                self.actor = Some(actor.clone());
                if self.group.is_some() {
                    return self.set(&actor, false);
                }
                let (name, desc) = (self.name.as_deref(), self.desc.as_deref().unwrap_or_default());
                let frame = json!({ "msgid": msgid::CREATE_GROUP, "id": actor.user.get(), "groupname": name,
                    "groupdesc": desc, "cid": self.cid });
                self.stage = PutStage::Making;
                return call(asks(&actor, &frame));
            }
            (Came::Answer(bytes), Some(actor)) => (bytes, actor),
            (Came::Answer(_), None) => return Err(Refused(Code::Busy, Code::Busy.text().into())),
        };
        let (bytes, actor) = actor;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match (&self.stage, errno(&answer)) {
            (PutStage::Making, 0) => {
                self.group = answer["groupid"].as_u64();
                self.set(&actor, true)
            }
            (PutStage::Making, exists) if exists == u64::from(Code::Exists.errno()) => {
                self.stage = PutStage::Looking;
                let (user, owned) = (actor.user, self.name.as_deref().map(Into::into));
                call((user, Deed::Account(AccountAct::Groups { user, owned })))
            }
            (PutStage::Looking, 0) => match answer["groups"][0].as_u64() {
                None => Err(Refused(Code::Exists, "somebody else's group has this name".into())),
                Some(group) => {
                    self.group = Some(group);
                    self.set(&actor, true)
                }
            },
            (PutStage::Setting, 0) => {
                Ok(Next::Done(json!({ "errno": 0, "groupid": self.group }).to_string().into_bytes()))
            }
            _ => Ok(Next::Done(bytes)),
        }
    }
}

/// One thing that is done with a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Add,
    /// Whoever runs the group says yes to who was added and has to wait for that.
    Answer,
    Role,
    Remove,
}

/// Adds members, gives them a role, and removes others.
#[derive(Debug)]
struct Members {
    by: AccountName,
    group: u64,
    role: Option<String>,
    cid: String,
    /// Who is to be found, and what is to be done then.
    names: VecDeque<(Step, AccountName)>,
    runs: Option<Actor>,
    /// What is to be done.
    steps: VecDeque<(Step, Actor)>,
    /// What is being done.
    current: Option<(Step, Actor)>,
    results: Vec<Value>,
}

pub(super) fn members(body: &mut Body) -> Result<Planned, Refused> {
    let (group, by) = (body.group()?, body.user("by")?);
    let (add, remove) = (body.users("add", USERS)?, body.users("remove", USERS)?);
    let (role, cid) = (body.optional_text("role")?, root(body)?);
    if add.is_empty() && remove.is_empty() {
        return Err(invalid("one of add and remove is needed"));
    }
    let about = format!("group {group}, {} added, {} removed, by {}", add.len(), remove.len(), shown(&by));
    let names = add.into_iter().map(|name| (Step::Add, name));
    let names = names.chain(remove.into_iter().map(|name| (Step::Remove, name))).collect();
    let (group, steps) = (group.get().into(), VecDeque::new());
    let work = Members { by, group, role, cid, names, runs: None, steps, current: None, results: Vec::new() };
    Ok(Planned { about, work: Box::new(work) })
}

impl Members {
    fn frame(&self, step: Step, runs: &Actor, whom: &Actor) -> (UserId, Deed) {
        let (group, user) = (self.group, whom.user.get());
        let cid = |what: &str| format!("{}:{what}{user}", self.cid);
        match step {
            Step::Add => {
                let frame =
                    json!({ "msgid": msgid::ADD_GROUP, "id": user, "groupid": group, "cid": cid("a") });
                asks(whom, &frame)
            }
            Step::Answer => asks(
                runs,
                &json!({ "msgid": msgid::JOIN_ANSWER, "groupid": group, "userid": user, "yes": true, "cid": cid("y") }),
            ),
            Step::Role => asks(
                runs,
                &json!({ "msgid": msgid::ROLE, "groupid": group, "userid": user, "role": self.role, "cid": cid("r") }),
            ),
            Step::Remove => asks(
                runs,
                &json!({ "msgid": msgid::KICK, "groupid": group, "userid": user, "cid": cid("k") }),
            ),
        }
    }

    /// What came of a step; a step that follows from it is next.
    fn note(&mut self, (step, whom): (Step, Actor), bytes: &[u8]) {
        let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let (pending, exists) = (u64::from(Code::Pending.errno()), u64::from(Code::Exists.errno()));
        let is_member = match (step, errno(&answer)) {
            (Step::Add, errno) if errno == pending => {
                return self.steps.push_front((Step::Answer, whom));
            }
            (Step::Add, errno) => errno == 0 || errno == exists,
            (Step::Answer, errno) => errno == 0,
            (Step::Role | Step::Remove, _) => false,
        };
        if is_member && self.role.is_some() {
            return self.steps.push_front((Step::Role, whom));
        }
        let errno = if is_member { 0 } else { errno(&answer) };
        let mut result = json!({ "errno": errno, "id": whom.user.get() });
        if errno != 0 {
            result["errmsg"] = answer["errmsg"].clone();
        }
        self.results.push(result);
    }
}

impl Work for Members {
    fn go_on(&mut self, came: Came) -> Result<Next, Refused> {
        match (came, self.current.take()) {
            (Came::Nothing, _) => return Ok(Next::Find(self.by.clone())),
            (Came::Found(runs), _) if self.runs.is_none() => self.runs = Some(runs),
            (Came::Found(whom), _) => {
                let step = self.names.pop_front().map_or(Step::Add, |(step, _)| step);
                self.steps.push_back((step, whom));
            }
            (Came::Answer(bytes), Some(current)) => self.note(current, &bytes),
            (Came::Answer(_), None) => {}
        }
        if let Some((_, name)) = self.names.front() {
            return Ok(Next::Find(name.clone()));
        }
        if let (Some((step, whom)), Some(runs)) = (self.steps.pop_front(), self.runs.clone()) {
            let next = self.frame(step, &runs, &whom);
            self.current = Some((step, whom));
            return call(next);
        }
        // As the first one that was refused was.
        let refused = self.results.iter().find(|result| errno(result) != 0);
        let mut answer = json!({ "errno": refused.map_or(0, errno) });
        if let Some(refused) = refused {
            answer["errmsg"] = refused["errmsg"].clone();
        }
        answer["results"] = std::mem::take(&mut self.results).into();
        Ok(Next::Done(answer.to_string().into_bytes()))
    }
}
