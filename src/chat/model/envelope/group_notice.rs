//! Notices about how groups are run: what somebody is in one from now on, and what only some are told.

use super::{Envelope, FLAG_RUNS, Header, Kind};
use crate::model::group_rule::{MemberRule, MutedAll, Standing, Until};
use crate::model::ids::{GroupId, MessageId, UserId};
use crate::model::profile::Role;

/// Bytes of an entry: user (0 for all normal members), 1 and the role's number for a member, until when it is muted, place.
pub(super) const RULE_BYTES: usize = 21;

/// What a [`Kind::GroupRule`] tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuleNotice {
    /// What these are from now on.
    pub standings: Vec<Standing>,
    /// What all normal members are.
    pub all: Option<MutedAll>,
}

const ROLES: [Role; 3] = [Role::Creator, Role::Admin, Role::Normal];

fn seal(kind: Kind, sender: u32, target: u32, mid: MessageId, body: &[u8]) -> Envelope {
    Header { kind, flags: 0, sender, target, mid: mid.0, ts: 0, read_us: 0 }.seal("", body, &mut Vec::new())
}

impl Envelope {
    /// A notice to all cores that have members of a group, or sessions of a user whom it is about, and the question
    /// whether they know it now. `by` has asked for it: its core is told.
    pub fn group_rule(number: MessageId, by: UserId, group: GroupId, notice: &RuleNotice) -> Self {
        let mut body = Vec::with_capacity((notice.standings.len() + 1) * RULE_BYTES);
        let mut entry = |user: u32, role: u8, muted: Until, at: u64| {
            body.extend_from_slice(&user.to_le_bytes());
            body.push(role);
            body.extend_from_slice(&muted.get().to_le_bytes());
            body.extend_from_slice(&at.to_le_bytes());
        };
        for Standing { user, member, at } in &notice.standings {
            let role = |role| ROLES.iter().position(|&other| other == role).map_or(0, |at| at as u8 + 1);
            let (role, muted) = member.map_or((0, Until::NEVER), |member| (role(member.role), member.muted));
            entry(user.get(), role, muted, *at);
        }
        if let Some(MutedAll { until, at }) = notice.all {
            entry(0, 0, until, at);
        }
        seal(Kind::GroupRule, by.get(), group.get(), number, &body)
    }

    /// What a [`Kind::GroupRule`] tells; what no version of ours says is left out.
    pub fn ruled(&self) -> RuleNotice {
        let mut notice = RuleNotice::default();
        for entry in self.body().chunks_exact(RULE_BYTES) {
            let user = u32::from_le_bytes(entry[..4].try_into().expect("four bytes"));
            let muted = i64::from_le_bytes(entry[5..13].try_into().expect("eight bytes"));
            let at = u64::from_le_bytes(entry[13..].try_into().expect("eight bytes"));
            let Some(muted) = Until::new(muted) else { continue };
            let role = entry[4].checked_sub(1).and_then(|at| ROLES.get(usize::from(at)).copied());
            let member = role.map(|role| MemberRule { role, muted });
            match UserId::new(user.into()) {
                Some(user) => notice.standings.push(Standing { user, member, at }),
                None => notice.all = Some(MutedAll { until: muted, at }),
            }
        }
        notice
    }

    /// The answer of a core that knows what [`Envelope::group_rule`] tells, on the channel of who asked for it.
    pub fn group_known(number: MessageId, by: UserId) -> Self {
        seal(Kind::GroupKnown, 0, by.get(), number, &[])
    }

    /// What was done to a group, for the sessions of one user.
    pub fn group_told(user: UserId, event: &Envelope) -> Self {
        Self::event(Kind::GroupTold, user.get(), event)
    }

    /// That somebody asks to join a group, for those who run it.
    pub fn group_asked(group: GroupId, event: &Envelope) -> Self {
        Self::event(Kind::GroupAsked, group.get(), event)
    }

    fn event(kind: Kind, target: u32, event: &Envelope) -> Self {
        let (sender, mid, ts) = (event.sender().get(), event.mid().0, event.ts().0);
        let header = Header { kind, flags: 0, sender, target, mid, ts, read_us: 0 };
        let sealed = header.seal(event.cid(), event.body(), &mut Vec::new());
        event.pos().map_or(sealed.clone(), |pos| sealed.placed(pos))
    }

    /// The same message, known to be of somebody who runs its group.
    pub fn of_who_runs(&self) -> Self {
        let mut bytes = self.0.to_vec();
        bytes[2] |= FLAG_RUNS;
        Self(bytes.into())
    }

    /// Whether its sender is known to run its group.
    pub fn is_of_who_runs(&self) -> bool {
        self.0[2] & FLAG_RUNS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_everybody_is() {
        let (user, group) = (|id| UserId::new(id).unwrap(), GroupId::new(5).unwrap());
        let standings = vec![
            Standing {
                user: user(7),
                member: Some(MemberRule { role: Role::Admin, muted: Until::FOR_EVER }),
                at: u64::MAX,
            },
            Standing { user: user(8), member: None, at: 3 },
        ];
        let notice = RuleNotice { standings, all: Some(MutedAll { until: Until::new(77).unwrap(), at: 4 }) };
        let sealed = Envelope::group_rule(MessageId(9), user(2), group, &notice);
        let opened = Envelope::open(sealed.bytes().clone()).unwrap();
        assert_eq!((opened.kind(), opened.sender(), opened.group()), (Kind::GroupRule, user(2), group));
        assert_eq!((opened.mid(), opened.ruled()), (MessageId(9), notice));
        let cut = seal(Kind::GroupRule, 2, 5, MessageId(9), &[0; RULE_BYTES + 1]);
        assert!(Envelope::open(cut.bytes().clone()).is_err());
    }
}
