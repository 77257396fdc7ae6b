//! Notices: what cores tell each other besides messages, in the same layout.

use super::{Envelope, Header, Kind};
use crate::model::ids::{GroupId, MessageId, Millis, UserId};
use crate::model::token::TokenId;

const TAKEOVER: &str = "takeover";
const JOIN: &str = "join";

/// Who came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The user.
    pub user: UserId,
    /// The number of the login that this is about.
    pub epoch: u64,
    /// Where the user is.
    pub whereabouts: Whereabouts,
}

/// Where a user is, as a core tells that has, or had, a session of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whereabouts {
    /// At the core that tells.
    Here,
    /// Nowhere.
    Gone,
    /// At another core: the last of its sessions at the one that tells has ended.
    Elsewhere,
}

impl Whereabouts {
    /// What a version that knows two of them takes for online is not 0.
    fn byte(self) -> u8 {
        match self {
            Whereabouts::Gone => 0,
            Whereabouts::Here => 1,
            Whereabouts::Elsewhere => 2,
        }
    }

    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Whereabouts::Gone,
            2 => Whereabouts::Elsewhere,
            _ => Whereabouts::Here,
        }
    }
}

/// Bytes of a notice: user, epoch, whereabouts.
pub(super) const NOTICE_BYTES: usize = 13;

/// What a claim demands of a session that the user has already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// Nothing: if there is one, the claim is lost.
    Nothing,
    /// That it gives way, whichever it is.
    Takeover,
    /// That it gives way if it has this token.
    Token(TokenId),
    /// That it has others beside it, as the one that claims has; and that it gives way if it has this token.
    Join(Option<TokenId>),
}

impl Envelope {
    /// A notice about a claim on `user`: Claim, Held, Yield or Reclaim.
    ///
    /// # Panics
    /// If `kind` is none of these.
    pub fn claim(kind: Kind, user: UserId, claim: u64) -> Self {
        assert!(
            matches!(kind, Kind::Claim | Kind::ClaimDenied | Kind::ClaimConceded | Kind::Reclaim),
            "a notice about a claim"
        );
        Header { kind, flags: 0, sender: 0, target: user.get(), mid: claim, ts: 0, read_us: 0 }.seal(
            "",
            &[],
            &mut Vec::new(),
        )
    }

    /// The answer to a claim that demands others beside it: so many sessions of the user are here, or about to be.
    pub fn claim_joined(user: UserId, claim: u64, sessions: u64) -> Self {
        let kind = Kind::ClaimJoined;
        Header { kind, flags: 0, sender: 0, target: user.get(), mid: claim, ts: sessions, read_us: 0 }.seal(
            "",
            &[],
            &mut Vec::new(),
        )
    }

    /// How many sessions a [`Kind::ClaimJoined`] tells of.
    pub fn sessions(&self) -> u64 {
        self.ts().0
    }

    /// A claim on `user` that demands something of a session that is there already.
    pub fn demanding(user: UserId, claim: u64, demand: Demand) -> Self {
        Self::with_demand(Kind::Claim, user, claim, demand)
    }

    /// A core that was cut off holds `user` since this login; `demand` says whether that lives beside others.
    pub fn reclaim(user: UserId, login: u64, demand: Demand) -> Self {
        Self::with_demand(Kind::Reclaim, user, login, demand)
    }

    fn with_demand(kind: Kind, user: UserId, mid: u64, demand: Demand) -> Self {
        let body = match demand {
            Demand::Nothing => String::new(),
            Demand::Takeover => TAKEOVER.to_owned(),
            Demand::Token(TokenId(token)) => token.to_string(),
            Demand::Join(None) => JOIN.to_owned(),
            Demand::Join(Some(TokenId(token))) => format!("{JOIN} {token}"),
        };
        Header { kind, flags: 0, sender: 0, target: user.get(), mid, ts: 0, read_us: 0 }.seal(
            "",
            body.as_bytes(),
            &mut Vec::new(),
        )
    }

    /// What a claim demands; what cannot be read demands nothing.
    pub fn demand(&self) -> Demand {
        match std::str::from_utf8(self.body()) {
            Ok(TAKEOVER) => Demand::Takeover,
            Ok(JOIN) => Demand::Join(None),
            Ok(text) => match text.split_once(' ') {
                Some((JOIN, token)) => Demand::Join(token.parse().ok().map(TokenId)),
                Some(_) => Demand::Nothing,
                None => text.parse().map_or(Demand::Nothing, |token| Demand::Token(TokenId(token))),
            },
            Err(_) => Demand::Nothing,
        }
    }

    /// A notice that `user` has something waiting in the store.
    pub fn backlog_hint(user: UserId) -> Self {
        Header { kind: Kind::BacklogHint, flags: 0, sender: 0, target: user.get(), mid: 0, ts: 0, read_us: 0 }
            .seal("", &[], &mut Vec::new())
    }

    /// A notice that somebody blocks `user`, or does so no more. Who that is stands in the store.
    pub fn hiding_hint(user: UserId) -> Self {
        Header { kind: Kind::HidingHint, flags: 0, sender: 0, target: user.get(), mid: 0, ts: 0, read_us: 0 }
            .seal("", &[], &mut Vec::new())
    }

    /// A notice that these messages of `group` are stored, with their places.
    pub fn group_offsets(group: GroupId, messages: &[(MessageId, u64)]) -> Self {
        let mut body = Vec::with_capacity(messages.len() * 16);
        for (mid, pos) in messages {
            body.extend_from_slice(&mid.0.to_le_bytes());
            body.extend_from_slice(&pos.to_le_bytes());
        }
        Header {
            kind: Kind::GroupOffsets,
            flags: 0,
            sender: 0,
            target: group.get(),
            mid: 0,
            ts: 0,
            read_us: 0,
        }
        .seal("", &body, &mut Vec::new())
    }

    /// A notice that `group` is no more.
    pub fn dissolved(group: GroupId) -> Self {
        Header { kind: Kind::Dissolved, flags: 0, sender: 0, target: group.get(), mid: 0, ts: 0, read_us: 0 }
            .seal("", &[], &mut Vec::new())
    }

    /// Word of `reader` on messages of `sender`: Confirmed or Unconfirmed.
    pub fn receipt(kind: Kind, sender: UserId, reader: UserId, mids: &[MessageId]) -> Self {
        let body: Vec<u8> = mids.iter().flat_map(|mid| mid.0.to_le_bytes()).collect();
        let (sender, target) = (reader.get(), sender.get());
        Header { kind, flags: 0, sender, target, mid: 0, ts: 0, read_us: 0 }.seal("", &body, &mut Vec::new())
    }

    /// The messages that a reader sends word on.
    pub fn mids(&self) -> Vec<MessageId> {
        let number = |bytes: &[u8]| MessageId(u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        self.body().chunks_exact(8).map(number).collect()
    }

    /// Who came and went on the core that made `mid`.
    pub fn presence(mid: MessageId, notices: &[Notice]) -> Self {
        let mut body = Vec::with_capacity(notices.len() * NOTICE_BYTES);
        for notice in notices {
            body.extend_from_slice(&notice.user.get().to_le_bytes());
            body.extend_from_slice(&notice.epoch.to_le_bytes());
            body.push(notice.whereabouts.byte());
        }
        Self::of_core(Kind::Presence, mid, &body)
    }

    /// The core that made `mid` stops.
    pub fn core_leaving(mid: MessageId) -> Self {
        Self::of_core(Kind::CoreLeaving, mid, &[])
    }

    /// A notice of what everybody is told who is online. `cid`, its name, has at most 255 bytes.
    pub fn announcement(mid: MessageId, ts: Millis, cid: &str, text: &str) -> Self {
        let (kind, mid, ts) = (Kind::Announcement, mid.0, ts.0);
        Header { kind, flags: 0, sender: 0, target: 0, mid, ts, read_us: 0 }.seal(
            cid,
            text.as_bytes(),
            &mut Vec::new(),
        )
    }

    fn of_core(kind: Kind, mid: MessageId, body: &[u8]) -> Self {
        Header { kind, flags: 0, sender: 0, target: 0, mid: mid.0, ts: 0, read_us: 0 }.seal(
            "",
            body,
            &mut Vec::new(),
        )
    }

    /// The (mid, pos) pairs of a [`Kind::GroupOffsets`] notice.
    pub fn offsets(&self) -> impl Iterator<Item = (MessageId, u64)> + '_ {
        let number = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("eight bytes"));
        self.body().chunks_exact(16).map(move |pair| (MessageId(number(&pair[..8])), number(&pair[8..])))
    }

    /// The notices of a [`Kind::Presence`]; those about nobody are left out.
    pub fn notices(&self) -> impl Iterator<Item = Notice> + '_ {
        self.body().chunks_exact(NOTICE_BYTES).filter_map(|notice| {
            let user = u32::from_le_bytes(notice[..4].try_into().expect("four bytes"));
            let epoch = u64::from_le_bytes(notice[4..12].try_into().expect("eight bytes"));
            let whereabouts = Whereabouts::from_byte(notice[12]);
            Some(Notice { user: UserId::new(user.into())?, epoch, whereabouts })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ID_MAX;

    fn user(n: u64) -> UserId {
        UserId::new(n).unwrap()
    }

    #[test]
    fn a_claim_carries_its_demand() {
        let joins = [Demand::Join(None), Demand::Join(Some(TokenId(7)))];
        for demand in
            [Demand::Nothing, Demand::Takeover, Demand::Token(TokenId(u64::MAX))].into_iter().chain(joins)
        {
            let claim = Envelope::open(Envelope::demanding(user(7), 77, demand).bytes().clone()).unwrap();
            assert_eq!((claim.kind(), claim.user(), claim.mid()), (Kind::Claim, user(7), MessageId(77)));
            assert_eq!(claim.demand(), demand);
        }
    }

    #[test]
    fn a_hint_to_look_who_hides_names_the_user() {
        let hint = Envelope::open(Envelope::hiding_hint(user(7)).bytes().clone()).unwrap();
        assert_eq!((hint.kind(), hint.user(), hint.body()), (Kind::HidingHint, user(7), &[][..]));
    }

    #[test]
    fn a_readers_word_names_the_messages() {
        let sealed =
            Envelope::receipt(Kind::Confirmed, user(1), user(2), &[MessageId(7), MessageId(u64::MAX)]);
        let word = Envelope::open(sealed.bytes().clone()).unwrap();
        assert_eq!((word.kind(), word.user(), word.sender()), (Kind::Confirmed, user(1), user(2)));
        assert_eq!(word.mids(), [MessageId(7), MessageId(u64::MAX)]);
    }

    #[test]
    fn a_notice_of_presence_carries_who_came_and_went() {
        let notices = [
            Notice { user: user(1), epoch: u64::MAX, whereabouts: Whereabouts::Here },
            Notice { user: user(ID_MAX), epoch: 2, whereabouts: Whereabouts::Gone },
            Notice { user: user(7), epoch: 3, whereabouts: Whereabouts::Elsewhere },
        ];
        let sealed = Envelope::presence(MessageId(77), &notices);
        let opened = Envelope::open(sealed.bytes().clone()).unwrap();
        assert_eq!((opened.kind(), opened.mid()), (Kind::Presence, MessageId(77)));
        assert_eq!(opened.notices().collect::<Vec<_>>(), notices);
    }

    #[test]
    fn a_stored_notice_carries_its_pairs() {
        let group = GroupId::new(5).unwrap();
        let notice = Envelope::open(
            Envelope::group_offsets(group, &[(MessageId(1), 2), (MessageId(u64::MAX), 3)]).bytes().clone(),
        );
        let notice = notice.unwrap();
        assert_eq!(notice.group(), group);
        assert_eq!(notice.offsets().collect::<Vec<_>>(), [(MessageId(1), 2), (MessageId(u64::MAX), 3)]);
    }
}
