//! What is the same in every store about groups that are run: who may do what, and which row tells of it.

use chatd_chat::model::envelope::{Envelope, Row, Target};
use chatd_chat::model::group_rule::{GroupRule, JoinPolicy, NewRow, Until};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::profile::Role;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::group_event::{self, What};

/// Whether one of role `mine` may do this. `theirs` is the role of the user whom it is about, if that one is a member.
///
/// # Errors
/// `NotYours` if the rank is too low, `NoSuchUser` if it can be done to members only.
pub fn may(mine: Role, rule: &GroupRule, theirs: Option<Role>) -> Result<(), Code> {
    let allowed = match rule {
        GroupRule::Role { .. } => mine == Role::Creator,
        GroupRule::Kick { .. } => mine.runs() && theirs.is_none_or(|theirs| mine.outranks(theirs)),
        GroupRule::Mute { .. } => mine.runs() && theirs.is_none_or(|theirs| mine.outranks(theirs)),
        GroupRule::MuteAll { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. } => mine.runs(),
    };
    if !allowed {
        return Err(Code::NotYours);
    }
    match rule {
        GroupRule::Role { .. } | GroupRule::Mute { .. } if theirs.is_none() => Err(Code::NoSuchUser),
        _ => Ok(()),
    }
}

/// Who asks for a rule, and how the row is called that tells of it.
pub struct Asked<'a> {
    pub user: UserId,
    pub group: GroupId,
    pub row: NewRow,
    pub cid: Option<&'a str>,
}

impl Asked<'_> {
    /// Those who are told how they stand now: whom the rule is about; who hands a group over, too.
    pub fn whom(&self, rule: &GroupRule) -> Vec<UserId> {
        match rule {
            GroupRule::Role { user, role: Role::Creator } => vec![*user, self.user],
            _ => rule.about().into_iter().collect(),
        }
    }
}

/// Somebody and its name, as it is read.
pub type Named = (UserId, String);

/// The body of the row that tells of it.
pub fn body(by: &Named, group: GroupId, user: Option<&Named>, what: What<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    let user = user.map(|(user, name)| (*user, name.as_str()));
    group_event::body(&mut body, (by.0, &by.1), group, user, what);
    body
}

/// Whether a row's body is what the same request would be told as now.
pub fn repeats(stored: &[u8], by: &Named, group: GroupId, user: Option<&Named>, rule: &GroupRule) -> bool {
    [true, false].iter().any(|&of_member| body(by, group, user, What::of(rule, of_member)) == stored)
}

/// A row as the core gets it.
pub fn placed(by: UserId, group: GroupId, row: NewRow, cid: &[u8], body: &[u8], pos: u64) -> Placed {
    let NewRow { mid, ts } = row;
    let stored = Row { sender: by, target: Target::Group(group), mid, ts, cid, body };
    Placed::as_said(Envelope::of_row(stored, &mut Vec::new()).placed(pos), pos)
}

/// Until when, as a store has it. What nobody of ours has written does not hold.
pub fn until(number: i64) -> Until {
    Until::new(number).unwrap_or_default()
}

/// How one joins, likewise.
pub fn joining(name: &str) -> JoinPolicy {
    JoinPolicy::named(name).unwrap_or_default()
}

/// What a member is, of the two columns that say so.
pub fn role(grouprole: &str, admin: bool) -> Role {
    match (grouprole, admin) {
        ("creator", _) => Role::Creator,
        (_, true) => Role::Admin,
        (_, false) => Role::Normal,
    }
}
