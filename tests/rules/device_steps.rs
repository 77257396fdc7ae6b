//! The steps that are about a user's devices: what the store says of them, and what other cores tell.
//!
//! ```text
//! devices 5=phone 7=             tokens and what they are called, the one used last first
//! proven password 5              what sessions were let in by that is good still: the password, a token
//! heads 2=bob@9 read 3 unread 4; 5=team@2 group     conversations; and at its end `more`
//! synced 2 head 9: 1>2@8 text; …; more  | 5 group head 2:    conversations, of each what lies beyond; `| left 3`: so
//!                                many of those asked for are not dealt with
//! marker 9 · marker 9 unmoved    where the read marker is
//! places 7 · places              the first of the messages asked for is there · none is yet
//! arrives user 1 joins 77 · arrives user 1 joins 77 by 5    a claim that lives beside others
//! arrives user 1 beside own 9    other cores have so many sessions beside the own claim
//! arrives user 1 read by 2 with 2 up to 9 · arrives user 1 typing 2 · arrives group 5 typing 2 of 50
//! arrives user 1 revoked 5 · arrives user 1 confirmed here · arrives user 1 own 1>2 text
//! arrives cores online 2 7 · offline 2 7 · elsewhere 2 7    who came and went at another core, by the number of its login
//! loginm a 1 ann                 a whole login in v2 of a session that lives beside others and understands everything
//! ```

use super::script::{Script, group, user};
use chatd::chat::model::device::{Device, Marker};
use chatd::chat::model::envelope::{Demand, Envelope, Notice, ReadNotice, TypingNotice, Whereabouts};
use chatd::chat::model::history::{Conversation, Head, HeadsPage, Placed, SyncPage, SyncedConversation};
use chatd::chat::model::ids::{MessageId, Millis};
use chatd::chat::model::token::{PasswordPrint, Proof, TokenId};
use chatd::chat::port::event::Channel;
use chatd::chat::port::store::{StoreReply, StoreRequest};

/// What a client says of itself that understands everything.
pub const MULTI: &str =
    ",\"v\":2,\"multi\":true,\"caps\":[\"own\",\"read\",\"typing\",\"changed\",\"group\",\"friend\"]";

fn conversation(id: &str, is_group: bool) -> Conversation {
    if is_group { Conversation::Group(group(id)) } else { Conversation::With(user(id)) }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("a number: {text}"))
}

impl Script {
    /// The store's answer to a question about devices, if the step is one.
    pub fn answer_of_devices(
        &mut self,
        word: &str,
        rest: &str,
        asked: Option<&StoreRequest>,
    ) -> Option<StoreReply> {
        Some(match word {
            "devices" => {
                let device = |entry: &str| {
                    let (id, name) = entry.split_once('=').expect("a token and its name");
                    let token = TokenId(number(id));
                    Device { token, name: name.to_owned(), created: Millis(1), used: Millis(2), push: None }
                };
                StoreReply::Devices(rest.split_whitespace().map(device).collect())
            }
            "proven" => {
                let proof = |word: &str| match word {
                    "password" => Proof::Password(PasswordPrint(1)),
                    token => Proof::Token(TokenId(number(token))),
                };
                StoreReply::Proven(rest.split_whitespace().map(proof).collect())
            }
            "heads" => {
                let parts = rest.split("; ").filter(|part| !part.is_empty() && *part != "more");
                let heads = parts.map(head).collect();
                StoreReply::Heads(HeadsPage { heads, complete: !rest.ends_with("more") })
            }
            "synced" => {
                let Some(StoreRequest::Sync { since, .. }) = asked else { panic!("nothing is to be synced") };
                let mut page = SyncPage { conversations: Vec::new(), dealt_with: since.len() };
                for part in rest.split("| ").filter(|part| !part.is_empty()) {
                    match part.strip_prefix("left ") {
                        Some(left) => page.dealt_with -= number(left) as usize,
                        None => page.conversations.push(self.synced(part)),
                    }
                }
                StoreReply::Synced(page)
            }
            "marker" => {
                let (pos, moved) = rest.split_once(' ').map_or((rest, true), |(pos, _)| (pos, false));
                StoreReply::Marker(Marker { pos: number(pos), moved })
            }
            "places" => {
                let Some(StoreRequest::FindPlaces { mids }) = asked else {
                    panic!("no places are to be found")
                };
                let places = rest.split_whitespace().zip(mids);
                StoreReply::Places(places.map(|(pos, mid)| (*mid, number(pos))).collect())
            }
            _ => return None,
        })
    }

    fn synced(&mut self, text: &str) -> SyncedConversation {
        let (about, messages) = text.split_once(':').expect("a conversation and its messages");
        let (id, head) = about.split_once(" head ").expect("where it stands");
        let conversation = conversation(id.trim_end_matches(" group"), id.ends_with(" group"));
        let (mut placed, mut complete) = (Vec::new(), true);
        for part in messages.split("; ").map(str::trim).filter(|part| !part.is_empty()) {
            if part == "more" {
                complete = false;
                continue;
            }
            let (ends, text) = part.split_once(' ').expect("from whom to whom, and a text");
            let (ends, pos) = ends.split_once('@').expect("its place");
            let to_group = matches!(conversation, Conversation::Group(_));
            placed.push(Placed::as_said(self.stored_message(ends, text, to_group), number(pos)));
        }
        let peer_read = matches!(conversation, Conversation::With(_)).then_some(1);
        let (messages, head, changes, chg) = (placed, number(head), Vec::new(), 0);
        SyncedConversation { conversation, messages, changes, head, chg, peer_read, complete }
    }

    /// What another core tells of devices, if the step is that.
    pub fn arrives_of_devices(&mut self, words: &[&str]) -> Option<(Channel, Envelope)> {
        Some(match *words {
            ["user", id, "joins", claim] => {
                (Channel::User(user(id)), Envelope::demanding(user(id), number(claim), Demand::Join(None)))
            }
            ["user", id, "joins", claim, "by", token] => {
                let demand = Demand::Join(Some(TokenId(number(token))));
                (Channel::User(user(id)), Envelope::demanding(user(id), number(claim), demand))
            }
            ["user", id, "beside", "own", sessions] => {
                let own = self.own_claim_number();
                (Channel::User(user(id)), Envelope::claim_joined(user(id), own, number(sessions)))
            }
            ["user", id, "read", "by", reader, "with", with, "up", "to", pos] => {
                let conversation = Conversation::With(user(with));
                let notice = ReadNotice { reader: user(reader), conversation, pos: number(pos) };
                (Channel::User(user(id)), Envelope::read_notice(self.next_elsewhere(), user(id), notice))
            }
            ["user", id, "typing", by] => {
                let notice = TypingNotice { user: user(by), on: true, here: 0 };
                (Channel::User(user(id)), Envelope::typing_to_user(self.next_elsewhere(), user(id), notice))
            }
            ["group", id, "typing", by, "of", here] => {
                let notice = TypingNotice { user: user(by), on: true, here: number(here) };
                (
                    Channel::Group(group(id)),
                    Envelope::typing_in_group(self.next_elsewhere(), group(id), notice, &[]),
                )
            }
            ["user", id, "revoked", token] => {
                (Channel::User(user(id)), Envelope::token_revoked(user(id), TokenId(number(token))))
            }
            ["user", id, "asks", "for", "devices"] => {
                (Channel::User(user(id)), Envelope::devices_asked(self.next_elsewhere(), user(id)))
            }
            ["user", id, "asks", "for", "devices", "itself"] => {
                (Channel::User(user(id)), Envelope::devices_asked(self.asked_for_devices(), user(id)))
            }
            ["user", id, "has", "devices", ref tokens @ ..] => {
                let tokens: Vec<TokenId> = tokens.iter().map(|token| TokenId(number(token))).collect();
                let asked = self.asked_for_devices();
                (Channel::User(user(id)), Envelope::devices_here(asked, user(id), &tokens))
            }
            ["user", id, "confirmed", "here"] => {
                let mids: Vec<MessageId> = self.last_message().into_iter().collect();
                (Channel::User(user(id)), Envelope::confirmed_here(self.next_elsewhere(), user(id), &mids))
            }
            ["cores", state @ ("online" | "offline" | "elsewhere"), id, visit] => {
                let notice = Notice { user: user(id), epoch: number(visit), whereabouts: whereabouts(state) };
                (Channel::Cores, Envelope::presence(self.next_elsewhere(), &[notice]))
            }
            ["user", id, "own", ends, text] => {
                (Channel::User(user(id)), self.stored_message(ends, text, false))
            }
            _ => return None,
        })
    }
}

fn whereabouts(state: &str) -> Whereabouts {
    match state {
        "online" => Whereabouts::Here,
        "offline" => Whereabouts::Gone,
        _ => Whereabouts::Elsewhere,
    }
}

fn head(text: &str) -> Head {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (id, name) = words[0].split_once('=').expect("a number and a name");
    let (name, head) = name.split_once('@').expect("where it stands");
    let after = |word: &str| {
        let at = words.iter().position(|known| *known == word);
        at.map_or(0, |at| number(words[at + 1]))
    };
    let is_group = words.contains(&"group");
    Head {
        conversation: conversation(id, is_group),
        name: name.to_owned(),
        head: number(head),
        read: after("read"),
        peer_read: (!is_group).then_some(1),
        unread: after("unread"),
        mid: MessageId(1_000 + number(head)),
        ts: Millis(1_700_000_000_000),
        chg: after("chg"),
    }
}
