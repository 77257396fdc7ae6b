//! The kinds of envelopes: messages, and what cores tell each other besides.

/// What an envelope is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A message to one user. Body: the ONE_CHAT frame.
    Direct = 1,
    /// A message to a group. Body: the GROUP_CHAT frame.
    Group = 2,
    /// On a user's channel: a core wants to hold the user's session. mid: the claim's number. Body:
    /// what it demands of a session that the user has already.
    Claim = 16,
    /// The answer of a core that holds the session. mid: the claim's number.
    ClaimDenied = 17,
    /// The answer of a core that listens but does not hold. mid: the claim's number.
    ClaimConceded = 18,
    /// On a user's channel: something was put into the user's backlog; take it.
    BacklogHint = 19,
    /// On a user's channel: a core that was cut off from the bus holds the user's session. mid: the
    /// number of that login.
    Reclaim = 22,
    /// On a group's channel: these messages are stored. Body: pairs (mid, pos).
    GroupOffsets = 20,
    /// On a group's channel: the group was dissolved.
    Dissolved = 21,
    /// On the cores' channel: users of a core came and went. mid: made by that core. Body: notices.
    Presence = 24,
    /// On the cores' channel: a core stops. mid: made by that core.
    CoreLeaving = 25,
    /// On a user's channel: a reader has confirmed messages of this user's. sender: the reader. Body:
    /// their ids.
    Confirmed = 26,
    /// On a user's channel: a reader was sent messages of this user's and cannot confirm them.
    Unconfirmed = 27,
    /// On a user's channel: somebody blocks the user, or does so no more; look who hides from it.
    HidingHint = 28,
    /// On a user's channel: somebody has read a conversation up to a place. sender: who; mid: made by its core. Body:
    /// the conversation as the user sees it, and the place.
    Read = 29,
    /// On a user's or a group's channel: somebody types. sender: who; mid: made by its core. Body: whether, and how many
    /// members its core has.
    Typing = 30,
    /// On a user's channel: one of its sessions has confirmed messages. sender: the user; mid: made by its core. Body:
    /// their ids.
    ConfirmedHere = 31,
    /// On a user's channel: a token is worthless, or all but one are, and their sessions end. mid: the token; ts: 1 if it
    /// is the one that is not, 2 if all are, and every session ends.
    TokenRevoked = 32,
    /// The answer of a core whose sessions of the user live beside the one that claims. mid: the claim's number; ts: how
    /// many they are.
    ClaimJoined = 33,
    /// On a user's channel: one of its sessions has changed whom it knows or refuses. mid: made by its core. Body: what,
    /// and whom.
    Acquaintance = 34,
    /// On a user's channel: which devices of the user does each core have? mid: the number of that question.
    DevicesAsked = 35,
    /// The answer of a core. mid: the number of the question. Body: the tokens of its sessions.
    DevicesHere = 36,
    /// On a user's channel: somebody asks for the user's friendship, has it, or has ended it. mid: made by its core. sender:
    /// who. Body: what, and its name.
    Friendship = 46,
    /// On a user's channel: one of its sessions has changed what the user has chosen. mid: made by its core. Body: all of it.
    Settings = 47,
    /// On a user's or a group's channel: a message was changed. sender: who has changed it; mid: made by its core; ts: of
    /// the change. Body: the conversation as the user sees it, and the change.
    Changed = 37,
    /// On a group's channel, and on those of users whom it is about: what these are in the group from now on. sender: who
    /// asked for it; mid: the number of that question. Body: entries.
    GroupRule = 40,
    /// On a user's channel: a core knows what it was told. mid: the number of that question.
    GroupKnown = 41,
    /// On a user's channel: what was done to a group, for its sessions. sender: who did it. Body: the GROUP_EVENT frame.
    GroupTold = 42,
    /// On a group's channel: somebody asks to join. sender: who. Body: the GROUP_EVENT frame.
    GroupAsked = 43,
    /// On the cores' channel: everybody who is online is told this. mid: made by its core; cid: its name; ts: when it was
    /// announced. Body: the text.
    Announcement = 50,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Direct,
            2 => Kind::Group,
            16 => Kind::Claim,
            17 => Kind::ClaimDenied,
            18 => Kind::ClaimConceded,
            19 => Kind::BacklogHint,
            20 => Kind::GroupOffsets,
            21 => Kind::Dissolved,
            22 => Kind::Reclaim,
            24 => Kind::Presence,
            25 => Kind::CoreLeaving,
            26 => Kind::Confirmed,
            27 => Kind::Unconfirmed,
            28 => Kind::HidingHint,
            29 => Kind::Read,
            30 => Kind::Typing,
            31 => Kind::ConfirmedHere,
            32 => Kind::TokenRevoked,
            33 => Kind::ClaimJoined,
            34 => Kind::Acquaintance,
            35 => Kind::DevicesAsked,
            36 => Kind::DevicesHere,
            46 => Kind::Friendship,
            47 => Kind::Settings,
            37 => Kind::Changed,
            40 => Kind::GroupRule,
            41 => Kind::GroupKnown,
            42 => Kind::GroupTold,
            43 => Kind::GroupAsked,
            50 => Kind::Announcement,
            _ => return None,
        })
    }

    /// Whether an envelope of this kind names a user or a group that it is for.
    pub(crate) fn has_target(self) -> bool {
        !matches!(self, Kind::Presence | Kind::CoreLeaving | Kind::Announcement)
    }

    /// Whether an envelope of this kind names a sender.
    pub(super) fn has_sender(self) -> bool {
        match self {
            Kind::Direct | Kind::Group | Kind::Confirmed | Kind::Unconfirmed => true,
            Kind::Read | Kind::Typing | Kind::ConfirmedHere | Kind::Friendship | Kind::Changed => true,
            Kind::GroupRule | Kind::GroupTold | Kind::GroupAsked => true,
            Kind::GroupKnown => false,
            Kind::Claim | Kind::ClaimDenied | Kind::ClaimConceded | Kind::Reclaim | Kind::TokenRevoked => {
                false
            }
            Kind::ClaimJoined | Kind::BacklogHint | Kind::GroupOffsets | Kind::Settings => false,
            Kind::Dissolved | Kind::HidingHint | Kind::Acquaintance => false,
            Kind::Presence | Kind::CoreLeaving | Kind::DevicesAsked | Kind::DevicesHere => false,
            Kind::Announcement => false,
        }
    }
}
