//! Work: what is done for an act, step by step. Each step is a call to a core, or the end.

use super::body::Refused;
use crate::acts::Deed;
use chatd_chat::model::act::{AccountAct, AccountName, Actor};
use chatd_chat::model::ids::UserId;
use chatd_chat::wire::code::Code;
use serde_json::Value;

/// What is next.
#[derive(Debug)]
pub(super) enum Next {
    /// A core that serves this user is to do something; its answer comes back.
    Call(UserId, Deed),
    /// Somebody is to be found first, who then comes back.
    Find(AccountName),
    /// It is done: the answer, a JSON object.
    Done(Vec<u8>),
    /// Lines of an answer that has many; it goes on, without anything having come, when they are on their way.
    Part(Vec<u8>),
    /// That was the last line.
    End,
    /// The same as [`Next::Done`], and the server stops.
    Stop,
}

/// What is done for one act.
pub(super) trait Work: std::fmt::Debug + Send {
    /// Goes on, with what came of the step before.
    ///
    /// # Errors
    /// If it cannot be meant.
    fn go_on(&mut self, came: Came) -> Result<Next, Refused>;
}

/// What came of the step before.
#[derive(Debug)]
pub(super) enum Came {
    /// There was none.
    Nothing,
    /// Who was to be found.
    Found(Actor),
    /// What a core has answered.
    Answer(Vec<u8>),
}

/// Users who are to be known before a deed is made of them, and the deed.
pub(super) struct Once<F> {
    names: std::vec::IntoIter<AccountName>,
    found: Vec<Actor>,
    deed: Option<F>,
}

impl<F> std::fmt::Debug for Once<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Once")
    }
}

impl<F: FnOnce(Vec<Actor>) -> (UserId, Deed)> Once<F> {
    /// Does `deed` once, for these users; its answer is the act's.
    pub(super) fn new(names: Vec<AccountName>, deed: F) -> Self {
        Self { names: names.into_iter(), found: Vec::new(), deed: Some(deed) }
    }
}

impl<F: FnOnce(Vec<Actor>) -> (UserId, Deed) + Send> Work for Once<F> {
    fn go_on(&mut self, came: Came) -> Result<Next, Refused> {
        match came {
            Came::Nothing => {}
            Came::Found(actor) => self.found.push(actor),
            Came::Answer(bytes) => return Ok(Next::Done(bytes)),
        }
        if let Some(name) = self.names.next() {
            return Ok(Next::Find(name));
        }
        let Some(deed) = self.deed.take() else { return Err(Refused(Code::Busy, Code::Busy.text().into())) };
        let (user, deed) = deed(std::mem::take(&mut self.found));
        Ok(Next::Call(user, deed))
    }
}

/// The errno of an answer; busy, if it is none.
pub(super) fn errno(answer: &Value) -> u64 {
    answer["errno"].as_u64().unwrap_or_else(|| Code::Busy.errno().into())
}

/// What asks a core for an account.
pub(super) fn find(name: &AccountName) -> Deed {
    Deed::Account(AccountAct::Find(name.clone()))
}

/// The account that a core has found, or its refusal.
pub(super) fn found(answer: &[u8]) -> Result<Actor, Refused> {
    let busy = || Refused(Code::Busy, Code::Busy.text().to_owned());
    let answer: Value = serde_json::from_slice(answer).map_err(|_| busy())?;
    if answer["errno"] == u64::from(Code::NoSuchUser.errno()) {
        return Err(Refused(Code::NoSuchUser, Code::NoSuchUser.text().to_owned()));
    }
    let user = answer["id"].as_u64().and_then(UserId::new).ok_or_else(busy)?;
    Ok(Actor { user, name: answer["name"].as_str().ok_or_else(busy)?.into() })
}
