//! Notices about messages that were changed.

use super::{Envelope, Header, Kind};
use crate::model::change::{Changed, Done};
use crate::model::history::Conversation;
use crate::model::ids::{GroupId, MessageId, Millis, UserId};

/// A message was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeNotice {
    /// Of which conversation, as whoever is told sees it.
    pub conversation: Conversation,
    /// How.
    pub changed: Changed,
}

/// What stands in front of the text: the kind of conversation and which, the kind of change, and five numbers.
const FIXED_BYTES: usize = 1 + 4 + 1 + 5 * 8;

const EDITED: u8 = 0;
const RECALLED: u8 = 1;
const REACTED: u8 = 2;
const REACTS_NO_MORE: u8 = 3;

impl ChangeNotice {
    /// Whether this is the body of one.
    pub(super) fn is_whole(body: &[u8]) -> bool {
        body.get(FIXED_BYTES..).is_some_and(|text| std::str::from_utf8(text).is_ok())
    }
}

impl Envelope {
    /// A notice for the sessions of `to`.
    pub fn changed_for_user(mid: MessageId, to: UserId, notice: &ChangeNotice) -> Self {
        Self::changed_notice(mid, to.get(), notice)
    }

    /// A notice for the members of a group.
    pub fn changed_in_group(mid: MessageId, group: GroupId, notice: &ChangeNotice) -> Self {
        Self::changed_notice(mid, group.get(), notice)
    }

    fn changed_notice(mid: MessageId, target: u32, notice: &ChangeNotice) -> Self {
        let changed = &notice.changed;
        let (tag, id) = match notice.conversation {
            Conversation::With(user) => (0, user.get()),
            Conversation::Group(group) => (1, group.get()),
        };
        let (what, n, text) = match &changed.what {
            Done::Edited { msg } => (EDITED, 0, &**msg),
            Done::Recalled => (RECALLED, 0, ""),
            Done::Reacted { emoji, on: true, n } => (REACTED, *n, &**emoji),
            Done::Reacted { emoji, on: false, n } => (REACTS_NO_MORE, *n, &**emoji),
        };
        let mut body = vec![tag];
        body.extend_from_slice(&id.to_le_bytes());
        body.push(what);
        for number in [changed.chg, changed.pos, changed.mid.0, changed.rev, n] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(text.as_bytes());
        let (kind, sender, ts) = (Kind::Changed, changed.by.get(), changed.ts.0);
        let header = Header { kind, flags: 0, sender, target, mid: mid.0, ts, read_us: 0 };
        header.seal("", &body, &mut Vec::new())
    }

    /// What a [`Kind::Changed`] tells; `None` of a conversation that nobody has, or of what a later version does.
    pub fn changed(&self) -> Option<ChangeNotice> {
        let body = self.body();
        let (fixed, text) = body.split_at_checked(FIXED_BYTES)?;
        let text: Box<str> = std::str::from_utf8(text).ok()?.into();
        let id = u64::from(u32::from_le_bytes(fixed[1..5].try_into().ok()?));
        let conversation = match fixed[0] {
            0 => Conversation::With(UserId::new(id)?),
            _ => Conversation::Group(GroupId::new(id)?),
        };
        let numbers = fixed[6..].as_chunks::<8>().0;
        let [chg, pos, mid, rev, n] = std::array::from_fn(|at| u64::from_le_bytes(numbers[at]));
        let what = match fixed[5] {
            EDITED => Done::Edited { msg: text },
            RECALLED => Done::Recalled,
            on @ (REACTED | REACTS_NO_MORE) => Done::Reacted { emoji: text, on: on == REACTED, n },
            _ => return None,
        };
        let (by, ts) = (self.sender(), Millis(self.ts().0));
        Some(ChangeNotice {
            conversation,
            changed: Changed { chg, pos, mid: MessageId(mid), by, ts, rev, what },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::new(n).unwrap()
    }

    #[test]
    fn a_notice_carries_the_change() {
        let group = GroupId::new(5).unwrap();
        let all = [
            Done::Edited { msg: "caf\u{e9}".into() },
            Done::Edited { msg: "".into() },
            Done::Recalled,
            Done::Reacted { emoji: "\u{1f642}".into(), on: true, n: 9 },
            Done::Reacted { emoji: "+1".into(), on: false, n: 0 },
        ];
        for what in all {
            let changed =
                Changed { chg: 7, pos: 3, mid: MessageId(99), by: user(2), ts: Millis(12), rev: 4, what };
            for conversation in [Conversation::With(user(8)), Conversation::Group(group)] {
                let notice = ChangeNotice { conversation, changed: changed.clone() };
                let sealed = match conversation {
                    Conversation::With(_) => Envelope::changed_for_user(MessageId(1), user(6), &notice),
                    Conversation::Group(_) => Envelope::changed_in_group(MessageId(1), group, &notice),
                };
                let opened = Envelope::open(sealed.bytes().clone()).expect("it is whole");
                assert_eq!((opened.kind(), opened.mid()), (Kind::Changed, MessageId(1)));
                assert_eq!(opened.changed(), Some(notice));
            }
        }
    }

    #[test]
    fn what_is_no_notice_is_refused() {
        let seal = |body: &[u8]| {
            let header =
                Header { kind: Kind::Changed, flags: 0, sender: 1, target: 1, mid: 1, ts: 0, read_us: 0 };
            header.seal("", body, &mut Vec::new())
        };
        let open = |body: &[u8]| Envelope::open(seal(body).bytes().clone());
        assert!(open(&[0; FIXED_BYTES - 1]).is_err());
        let mut body = vec![0; FIXED_BYTES];
        assert_eq!(open(&body).unwrap().changed(), None, "nobody has the id 0");
        (body[1], body[5]) = (1, 9);
        assert_eq!(open(&body).unwrap().changed(), None, "nobody knows what was done");
        body.push(0xff);
        assert!(open(&body).is_err(), "no text");
    }
}
