//! Notices about what devices do: read, type, confirm, and lose their token.

use super::{Envelope, Header, Kind};
use crate::model::history::Conversation;
use crate::model::ids::{GroupId, MessageId, UserId};
use crate::model::token::TokenId;

/// Somebody has read a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadNotice {
    /// The user who has read.
    pub reader: UserId,
    /// Which, as whoever is told sees it.
    pub conversation: Conversation,
    /// Everything up to this place.
    pub pos: u64,
}

/// Somebody types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypingNotice {
    /// The user who types.
    pub user: UserId,
    /// Whether, or no more.
    pub on: bool,
    /// Of a group: how many members of it are online at the core where it is typed.
    pub here: u64,
}

/// Which of a user's tokens are worthless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Revoked {
    /// This one.
    Token(TokenId),
    /// All but this one.
    AllBut(TokenId),
    /// All, and sessions without one end, too.
    Everything,
}

impl Revoked {
    /// Whether this token is worthless.
    pub fn includes(self, token: Option<TokenId>) -> bool {
        match self {
            Revoked::Token(revoked) => token == Some(revoked),
            Revoked::AllBut(good) => token != Some(good),
            Revoked::Everything => true,
        }
    }
}

/// What a notice of tokens says in the place of its time: that all but one are worthless, and that nothing goes on.
const BUT_THIS: u64 = 1;
const EVERYTHING: u64 = 2;

/// A change of whom a user knows or refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acquaintance {
    /// A friend more, and whether it blocks the user, if that is known.
    Friend(UserId, Option<bool>),
    /// A friend less.
    Stranger(UserId),
    /// One more whose messages are refused.
    Blocked(UserId),
    /// One less.
    Unblocked(UserId),
    /// Somebody is asked for its friendship.
    Asked(UserId),
    /// Somebody who asks is refused, or what was asked for is taken back.
    Refused(UserId),
    /// Nobody can tell what: the session that did it is of a user who was online twice, and is not the one that stays.
    Unknown,
}

/// Bytes of a notice of an acquaintance: what, whom.
pub(super) const ACQUAINTANCE_BYTES: usize = 5;
/// Bytes of a read notice: 1 for a group, id, place.
pub(super) const READ_BYTES: usize = 13;
/// Bytes of a typing notice: 1 for on, members; then 4 for each user who is not told.
pub(super) const TYPING_BYTES: usize = 9;

fn seal(kind: Kind, sender: u32, target: u32, mid: u64, body: &[u8]) -> Envelope {
    Header { kind, flags: 0, sender, target, mid, ts: 0, read_us: 0 }.seal("", body, &mut Vec::new())
}

impl Envelope {
    /// A notice for the sessions of `to` that somebody has read something.
    pub fn read_notice(mid: MessageId, to: UserId, notice: ReadNotice) -> Self {
        let (tag, id) = match notice.conversation {
            Conversation::With(user) => (0, user.get()),
            Conversation::Group(group) => (1, group.get()),
        };
        let mut body = vec![tag];
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&notice.pos.to_le_bytes());
        seal(Kind::Read, notice.reader.get(), to.get(), mid.0, &body)
    }

    /// What a [`Kind::Read`] tells; `None` of a conversation that nobody has.
    pub fn read(&self) -> Option<ReadNotice> {
        let body = self.body();
        let id = u64::from(u32::from_le_bytes(body.get(1..5)?.try_into().ok()?));
        let pos = u64::from_le_bytes(body.get(5..13)?.try_into().ok()?);
        let conversation = match body[0] {
            0 => Conversation::With(UserId::new(id)?),
            _ => Conversation::Group(GroupId::new(id)?),
        };
        Some(ReadNotice { reader: self.sender(), conversation, pos })
    }

    /// A notice for the sessions of `to` that somebody types to it.
    pub fn typing_to_user(mid: MessageId, to: UserId, notice: TypingNotice) -> Self {
        Self::typing_notice(mid, to.get(), notice, &[])
    }

    /// A notice for the members of a group that somebody types there, `but` for those whom that one blocks.
    pub fn typing_in_group(mid: MessageId, group: GroupId, notice: TypingNotice, but: &[UserId]) -> Self {
        Self::typing_notice(mid, group.get(), notice, but)
    }

    fn typing_notice(mid: MessageId, target: u32, notice: TypingNotice, but: &[UserId]) -> Self {
        let mut body = vec![u8::from(notice.on)];
        body.extend_from_slice(&notice.here.to_le_bytes());
        body.extend(but.iter().flat_map(|user| user.get().to_le_bytes()));
        seal(Kind::Typing, notice.user.get(), target, mid.0, &body)
    }

    /// What a [`Kind::Typing`] tells.
    pub fn typing(&self) -> Option<TypingNotice> {
        let body = self.body();
        let here = u64::from_le_bytes(body.get(1..9)?.try_into().ok()?);
        Some(TypingNotice { user: self.sender(), on: body[0] != 0, here })
    }

    /// Who is not told what a [`Kind::Typing`] tells.
    pub fn typing_is_kept_from(&self) -> Vec<UserId> {
        let users = self.body().get(TYPING_BYTES..).unwrap_or_default().chunks_exact(4);
        let user =
            |bytes: &[u8]| UserId::new(u64::from(u32::from_le_bytes(bytes.try_into().expect("four bytes"))));
        users.filter_map(user).collect()
    }

    /// A notice that one of a user's sessions has confirmed messages.
    pub fn confirmed_here(mid: MessageId, user: UserId, mids: &[MessageId]) -> Self {
        let body: Vec<u8> = mids.iter().flat_map(|mid| mid.0.to_le_bytes()).collect();
        seal(Kind::ConfirmedHere, user.get(), user.get(), mid.0, &body)
    }

    /// A notice that one of a user's sessions has changed whom it knows or refuses.
    pub fn acquaintance(mid: MessageId, user: UserId, change: Acquaintance) -> Self {
        let (tag, whom) = match change {
            Acquaintance::Friend(whom, None) => (0, whom),
            Acquaintance::Friend(whom, Some(false)) => (4, whom),
            Acquaintance::Friend(whom, Some(true)) => (5, whom),
            Acquaintance::Asked(whom) => (6, whom),
            Acquaintance::Refused(whom) => (7, whom),
            Acquaintance::Stranger(whom) => (1, whom),
            Acquaintance::Blocked(whom) => (2, whom),
            Acquaintance::Unblocked(whom) => (3, whom),
            Acquaintance::Unknown => (8, user),
        };
        let mut body = vec![tag];
        body.extend_from_slice(&whom.get().to_le_bytes());
        seal(Kind::Acquaintance, 0, user.get(), mid.0, &body)
    }

    /// What a [`Kind::Acquaintance`] tells; `None` of what a later version tells.
    pub fn acquainted(&self) -> Option<Acquaintance> {
        let body = self.body();
        let whom = UserId::new(u64::from(u32::from_le_bytes(body.get(1..5)?.try_into().ok()?)))?;
        match body[0] {
            0 => Some(Acquaintance::Friend(whom, None)),
            4 => Some(Acquaintance::Friend(whom, Some(false))),
            5 => Some(Acquaintance::Friend(whom, Some(true))),
            6 => Some(Acquaintance::Asked(whom)),
            7 => Some(Acquaintance::Refused(whom)),
            1 => Some(Acquaintance::Stranger(whom)),
            2 => Some(Acquaintance::Blocked(whom)),
            3 => Some(Acquaintance::Unblocked(whom)),
            8 => Some(Acquaintance::Unknown),
            _ => None,
        }
    }

    /// A notice that a token of a user is worthless.
    pub fn token_revoked(user: UserId, token: TokenId) -> Self {
        seal(Kind::TokenRevoked, 0, user.get(), token.0, &[])
    }

    /// A notice that all tokens of a user are worthless but this one.
    pub fn other_tokens_revoked(user: UserId, token: TokenId) -> Self {
        Self::revocation(user, token, BUT_THIS)
    }

    /// A notice that all tokens of a user are worthless, and that no session of its goes on.
    pub fn everything_revoked(user: UserId) -> Self {
        Self::revocation(user, TokenId(0), EVERYTHING)
    }

    fn revocation(user: UserId, token: TokenId, ts: u64) -> Self {
        let (kind, mid) = (Kind::TokenRevoked, token.0);
        Header { kind, flags: 0, sender: 0, target: user.get(), mid, ts, read_us: 0 }.seal(
            "",
            &[],
            &mut Vec::new(),
        )
    }

    /// A question to all cores that have sessions of a user: which devices are these?
    pub fn devices_asked(number: MessageId, user: UserId) -> Self {
        seal(Kind::DevicesAsked, 0, user.get(), number.0, &[])
    }

    /// The same question, answered on the cores' channel: who asks for an acting session has not joined the user's.
    pub fn for_acting(&self) -> Self {
        let mut bytes = self.0.to_vec();
        bytes[20..28].copy_from_slice(&1_u64.to_le_bytes());
        Self(bytes.into())
    }

    /// Whether this question is answered on the cores' channel.
    pub fn is_for_acting(&self) -> bool {
        self.ts().0 == 1
    }

    /// The answer to [`Envelope::devices_asked`]: the tokens of the sessions of one core.
    pub fn devices_here(number: MessageId, user: UserId, tokens: &[TokenId]) -> Self {
        let body: Vec<u8> = tokens.iter().flat_map(|token| token.0.to_le_bytes()).collect();
        seal(Kind::DevicesHere, 0, user.get(), number.0, &body)
    }

    /// Which tokens a [`Kind::DevicesHere`] names.
    pub fn tokens(&self) -> Vec<TokenId> {
        self.mids().into_iter().map(|id| TokenId(id.0)).collect()
    }

    /// Which tokens a [`Kind::TokenRevoked`] is about.
    pub fn revoked(&self) -> Revoked {
        let token = TokenId(self.mid().0);
        match self.ts().0 {
            0 => Revoked::Token(token),
            EVERYTHING => Revoked::Everything,
            _ => Revoked::AllBut(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::new(n).unwrap()
    }

    fn reopened(sealed: &Envelope) -> Envelope {
        Envelope::open(sealed.bytes().clone()).unwrap()
    }

    #[test]
    fn a_read_notice_carries_the_conversation_as_its_receiver_sees_it() {
        for conversation in [Conversation::With(user(9)), Conversation::Group(GroupId::new(5).unwrap())] {
            let notice = ReadNotice { reader: user(2), conversation, pos: u64::MAX };
            let opened = reopened(&Envelope::read_notice(MessageId(77), user(7), notice));
            assert_eq!((opened.kind(), opened.user(), opened.mid()), (Kind::Read, user(7), MessageId(77)));
            assert_eq!(opened.read(), Some(notice));
        }
    }

    #[test]
    fn a_typing_notice_says_whether_and_among_how_many() {
        let notice = TypingNotice { user: user(2), on: true, here: 51 };
        let to_user = reopened(&Envelope::typing_to_user(MessageId(1), user(7), notice));
        assert_eq!((to_user.kind(), to_user.user(), to_user.typing()), (Kind::Typing, user(7), Some(notice)));
        let group = GroupId::new(5).unwrap();
        let in_group = reopened(&Envelope::typing_in_group(MessageId(1), group, notice, &[user(3), user(4)]));
        assert_eq!((in_group.group(), in_group.typing()), (group, Some(notice)));
        assert_eq!(in_group.typing_is_kept_from(), [user(3), user(4)]);
        assert_eq!(to_user.typing_is_kept_from(), []);
    }

    #[test]
    fn what_was_confirmed_and_what_was_revoked_is_named() {
        let confirmed =
            reopened(&Envelope::confirmed_here(MessageId(1), user(7), &[MessageId(3), MessageId(4)]));
        assert_eq!(confirmed.mids(), [MessageId(3), MessageId(4)]);
        let here = reopened(&Envelope::devices_here(MessageId(2), user(7), &[TokenId(5), TokenId(6)]));
        assert_eq!((here.mid(), here.tokens()), (MessageId(2), vec![TokenId(5), TokenId(6)]));
        let revoked = reopened(&Envelope::token_revoked(user(7), TokenId(u64::MAX >> 1)));
        assert_eq!((revoked.user(), revoked.revoked()), (user(7), Revoked::Token(TokenId(u64::MAX >> 1))));
        let others = reopened(&Envelope::other_tokens_revoked(user(7), TokenId(5)));
        assert_eq!(others.revoked(), Revoked::AllBut(TokenId(5)));
        assert!(others.revoked().includes(Some(TokenId(6))) && !others.revoked().includes(Some(TokenId(5))));
        let everything = reopened(&Envelope::everything_revoked(user(7)));
        assert_eq!((everything.user(), everything.revoked()), (user(7), Revoked::Everything));
        assert!(everything.revoked().includes(None) && everything.revoked().includes(Some(TokenId(0))));
    }

    #[test]
    fn a_change_of_acquaintances_says_what_and_whom() {
        let changes = [
            Acquaintance::Friend(user(9), None),
            Acquaintance::Friend(user(9), Some(false)),
            Acquaintance::Friend(user(9), Some(true)),
            Acquaintance::Asked(user(9)),
            Acquaintance::Refused(user(9)),
            Acquaintance::Stranger(user(9)),
            Acquaintance::Blocked(user(9)),
            Acquaintance::Unblocked(user(9)),
            Acquaintance::Unknown,
        ];
        for change in changes {
            let opened = reopened(&Envelope::acquaintance(MessageId(1), user(7), change));
            assert_eq!((opened.user(), opened.acquainted()), (user(7), Some(change)));
        }
        assert_eq!(reopened(&seal(Kind::Acquaintance, 0, 7, 1, &[9, 9, 0, 0, 0])).acquainted(), None);
    }

    #[test]
    fn a_notice_of_another_length_is_none() {
        let kinds = [
            (Kind::Read, READ_BYTES),
            (Kind::Typing, TYPING_BYTES),
            (Kind::ConfirmedHere, 8),
            (Kind::DevicesHere, 8),
            (Kind::Acquaintance, ACQUAINTANCE_BYTES),
        ];
        for (kind, bytes) in kinds {
            for wrong in [bytes - 1, bytes + 1] {
                assert!(Envelope::open(seal(kind, 1, 1, 0, &vec![0; wrong]).bytes().clone()).is_err());
            }
        }
    }
}
