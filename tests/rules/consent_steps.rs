//! The steps that are about friendships and settings: what the store says of them, and what other cores tell.
//!
//! ```text
//! asked · parted                 it is asked for · both are off each other's list
//! befriended 2=bob               on both lists; `2=bob hides`: bob blocks the user; `2=bob hidden`: the user blocks bob
//! settings friends false         what is chosen now; at its end `unchanged`, if it was before
//! known friends 2=bob; blocked 3; settings none true    whom the user knows and refuses, and what it has chosen
//! profile … writes none receipts off asked by 3:cy    in a profile: what is chosen, and who asks, with a note
//! arrives user 1 friend asks 2=bob · accepted 2=bob · accepted 2=bob hides · gone 2=bob    of another core
//! arrives user 1 settings none false                 another session, elsewhere, has chosen this
//! arrives user 1 made friend 2 · friend 2 hides · blocked 2 · unblocked 2 · asked 2 · stranger 2    … has done this
//! ```

use super::script::{Script, people, user};
use chatd::chat::model::consent::{FriendAsk, NewFriend, SavedSettings, Settings, WhoWrites};
use chatd::chat::model::envelope::{Acquaintance, Envelope, FriendNews, FriendNotice};
use chatd::chat::model::profile::Profile;
use chatd::chat::port::event::Channel;
use chatd::chat::port::store::{Acquaintances, StoreReply};

fn chosen(who_writes: &str, read_receipts: &str) -> Settings {
    let who_writes = WhoWrites::named(who_writes).unwrap_or_else(|| panic!("who writes: {who_writes}"));
    Settings { who_writes, read_receipts: read_receipts == "true" }
}

/// The store's answer to what is between two users, or to what one has chosen, if the step is one.
pub fn answer_of_consent(word: &str, rest: &str) -> Option<StoreReply> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    Some(match word {
        "asked" => StoreReply::Asked,
        "parted" => StoreReply::Parted,
        "known" => {
            let mut known = Acquaintances::default();
            for part in rest.split("; ") {
                match part.split_once(' ').unwrap_or((part, "")) {
                    ("friends", them) => known.friends = people(them),
                    ("blocked", them) => known.blocked = them.split_whitespace().map(user).collect(),
                    ("settings", them) => {
                        let (who_writes, read_receipts) = them.split_once(' ').expect("two settings");
                        known.settings = chosen(who_writes, read_receipts);
                    }
                    other => panic!("nothing is known of {other:?}"),
                }
            }
            StoreReply::Acquaintances(Box::new(known))
        }
        "befriended" => {
            let (_, name) = words[0].split_once('=').expect("a number and a name");
            let has = |word| words.contains(&word);
            let (hides, is_hidden) = (has("hides"), has("hidden"));
            StoreReply::Befriended(NewFriend { name: name.to_owned(), hides, is_hidden })
        }
        "settings" => {
            let settings = chosen(words[0], words[1]);
            StoreReply::Settings(SavedSettings { settings, changed: words.get(2) != Some(&"unchanged") })
        }
        _ => return None,
    })
}

/// What a profile says of consent.
pub fn consent_of_profile(profile: &mut Profile, words: &[&str]) {
    for pair in words.windows(2) {
        match pair {
            ["writes", who] => profile.settings.who_writes = chosen(who, "true").who_writes,
            ["receipts", "off"] => profile.settings.read_receipts = false,
            ["by", asker] => {
                let (id, name) = asker.split_once(':').expect("a number and a name");
                let note = format!("I am {name}");
                profile.asking.push(FriendAsk { asker: user(id), name: name.to_owned(), note });
            }
            _ => {}
        }
    }
}

impl Script {
    /// What another core tells of consent, if the step is that.
    pub fn arrives_of_consent(&mut self, words: &[&str]) -> Option<(Channel, Envelope)> {
        let ["user", id, rest @ ..] = words else { return None };
        if !matches!(rest, ["friend" | "settings" | "made", ..]) {
            return None;
        }
        let to = user(id);
        let envelope = match *rest {
            ["friend", what, who, ref more @ ..] => {
                let (about, name) = who.split_once('=').expect("a number and a name");
                let news = match what {
                    "asks" => FriendNews::Asks(format!("I am {name}")),
                    "accepted" => FriendNews::Accepted { hides: *more == ["hides"] },
                    "gone" => FriendNews::Gone,
                    other => panic!("no such news: {other}"),
                };
                let notice = FriendNotice { about: user(about), name: name.to_owned(), news };
                Envelope::friendship(self.next_elsewhere(), to, &notice)
            }
            ["settings", who_writes, read_receipts] => {
                Envelope::settings_changed(self.next_elsewhere(), to, chosen(who_writes, read_receipts))
            }
            ["made", what, whom, ref more @ ..] => {
                let change = match what {
                    "friend" => Acquaintance::Friend(user(whom), Some(*more == ["hides"])),
                    "stranger" => Acquaintance::Stranger(user(whom)),
                    "blocked" => Acquaintance::Blocked(user(whom)),
                    "unblocked" => Acquaintance::Unblocked(user(whom)),
                    "asked" => Acquaintance::Asked(user(whom)),
                    "anything" => Acquaintance::Unknown,
                    other => panic!("no such change: {other}"),
                };
                Envelope::acquaintance(self.next_elsewhere(), to, change)
            }
            _ => return None,
        };
        Some((Channel::User(to), envelope))
    }
}
