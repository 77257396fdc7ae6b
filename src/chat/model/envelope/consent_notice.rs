//! Notices about friendships that are asked for, made and ended, and about what a user has chosen.

use super::{Envelope, Header, Kind};
use crate::model::consent::{Settings, WhoWrites};
use crate::model::ids::{MessageId, UserId};

/// What has happened between a user and somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FriendNews {
    /// That one asks for the user's friendship, and says this with it.
    Asks(String),
    /// The two are friends from now on.
    Accepted {
        /// Whether that one blocks the user.
        hides: bool,
    },
    /// That one has ended the friendship.
    Gone,
}

/// What a user is told of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FriendNotice {
    /// Of whom.
    pub about: UserId,
    /// That one's name, as far as it is known.
    pub name: String,
    /// What has happened.
    pub news: FriendNews,
}

/// Bytes of a notice of settings: who writes, whether receipts are given.
pub(super) const SETTINGS_BYTES: usize = 2;

/// Who writes, by number.
const WHO: [WhoWrites; 3] = [WhoWrites::All, WhoWrites::Friends, WhoWrites::None];

fn seal(kind: Kind, sender: u32, target: UserId, mid: MessageId, body: &[u8]) -> Envelope {
    Header { kind, flags: 0, sender, target: target.get(), mid: mid.0, ts: 0, read_us: 0 }.seal(
        "",
        body,
        &mut Vec::new(),
    )
}

impl Envelope {
    /// A notice for the sessions of `to` of what has happened between it and somebody.
    pub fn friendship(mid: MessageId, to: UserId, notice: &FriendNotice) -> Self {
        let (tag, note) = match &notice.news {
            FriendNews::Asks(note) => (0, note.as_str()),
            FriendNews::Accepted { hides } => (1 + u8::from(*hides), ""),
            FriendNews::Gone => (3, ""),
        };
        let name = u16::try_from(notice.name.len()).map_or("", |_| notice.name.as_str());
        let mut body = vec![tag];
        body.extend_from_slice(&(name.len() as u16).to_le_bytes());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(note.as_bytes());
        seal(Kind::Friendship, notice.about.get(), to, mid, &body)
    }

    /// What a [`Kind::Friendship`] tells; `None` of what is damaged, or what a later version tells.
    pub fn friend_notice(&self) -> Option<FriendNotice> {
        let (tag, rest) = self.body().split_first()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (name, note) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let news = match tag {
            0 => FriendNews::Asks(text(note)?),
            1 => FriendNews::Accepted { hides: false },
            2 => FriendNews::Accepted { hides: true },
            3 => FriendNews::Gone,
            _ => return None,
        };
        Some(FriendNotice { about: self.sender(), name: text(name)?, news })
    }

    /// A notice for the other sessions of a user of what it has chosen.
    pub fn settings_changed(mid: MessageId, user: UserId, settings: Settings) -> Self {
        let who = WHO.iter().position(|who| *who == settings.who_writes).unwrap_or(0) as u8;
        seal(Kind::Settings, 0, user, mid, &[who, u8::from(settings.read_receipts)])
    }

    /// What a [`Kind::Settings`] tells. What a later version may choose lets nobody write.
    pub fn settings(&self) -> Settings {
        let body = self.body();
        let who_writes = body.first().and_then(|who| WHO.get(usize::from(*who)));
        let read_receipts = body.get(1).is_some_and(|receipts| *receipts != 0);
        Settings { who_writes: who_writes.copied().unwrap_or(WhoWrites::None), read_receipts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::new(n).unwrap()
    }

    #[test]
    fn news_of_a_friendship_come_as_they_were_told() {
        let all = [
            FriendNews::Asks("it's me, \u{1f642}".to_owned()),
            FriendNews::Asks(String::new()),
            FriendNews::Accepted { hides: true },
            FriendNews::Accepted { hides: false },
            FriendNews::Gone,
        ];
        for news in all {
            let notice = FriendNotice { about: user(9), name: "zo\u{eb}".to_owned(), news };
            let sealed = Envelope::friendship(MessageId(77), user(7), &notice);
            let opened = Envelope::open(sealed.bytes().clone()).unwrap();
            assert_eq!((opened.kind(), opened.user()), (Kind::Friendship, user(7)));
            assert_eq!((opened.mid(), opened.friend_notice()), (MessageId(77), Some(notice)));
        }
    }

    #[test]
    fn damaged_news_are_no_envelope() {
        for body in [&[][..], &[0], &[0, 1], &[0, 2, 0, 65], &[0, 1, 0, 0xff], &[0, 0, 0, 0xff], &[4, 0, 0]] {
            let sealed = seal(Kind::Friendship, 9, user(7), MessageId(1), body);
            assert!(Envelope::open(sealed.bytes().clone()).is_err(), "{body:?}");
        }
        for bytes in [1, 3] {
            let sealed = seal(Kind::Settings, 0, user(7), MessageId(1), &vec![0; bytes]);
            assert!(Envelope::open(sealed.bytes().clone()).is_err());
        }
    }

    #[test]
    fn settings_come_as_they_were_chosen() {
        for who_writes in WHO {
            for read_receipts in [false, true] {
                let settings = Settings { who_writes, read_receipts };
                let sealed = Envelope::settings_changed(MessageId(1), user(7), settings);
                assert_eq!(Envelope::open(sealed.bytes().clone()).unwrap().settings(), settings);
            }
        }
        let later = seal(Kind::Settings, 0, user(7), MessageId(1), &[9, 1]);
        let nobody = Settings { who_writes: WhoWrites::None, read_receipts: true };
        assert_eq!(later.settings(), nobody);
    }
}
