//! The steps that are about what the server's API has done: acting sessions, which are called `api`.
//!
//! ```text
//! act 1 ann {"msgid":6,…}        what a session of user 1, who is called ann, is asked by this frame
//! act find 1 · act put 1 · act disable 1 · act enable 1 · act revoke 1 · act erase 1    of the account of user 1
//! act issue 1 · act issue 1 c    a token for user 1, under the name c
//! act announce c text            to everybody, under the name c
//! account 1 ann · account 1 ann disabled    what the store says of an account
//! reissued 78 for 77             a token, and the one in whose place it is
//! repeated 3                     what is to be stored was stored before, under id 7 and at this place
//! arrives cores announces c text · arrives user 1 everything revoked
//! ```

use super::script::{Script, token, user};
use chatd::chat::model::act::{AccountAct, AccountName, AccountRecord, Act, Actor, Announcement};
use chatd::chat::model::envelope::Envelope;
use chatd::chat::model::ids::{ConnectionId, MessageId, Millis};
use chatd::chat::model::token::TokenId;
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::{Channel, Event};
use chatd::chat::port::store::{StoreReply, StoreRequest, StoredMessage};

/// What is done, and the frame that says it, if one does.
fn act(text: &str) -> (Act, Option<&str>) {
    let (word, rest) = text.split_once(' ').expect("what, and of whom");
    let put = |disabled| AccountAct::Put { who: AccountName::Id(user(rest)), name: None, disabled };
    let account = match word {
        "announce" => {
            let (cid, text) = rest.split_once(' ').expect("a name and a text");
            let text = text.replace("{{801}}", &"x".repeat(801));
            return (Act::Announce(Announcement { text: text.into(), cid: cid.into() }), None);
        }
        "find" => AccountAct::Find(AccountName::Id(user(rest))),
        "put" => put(None),
        "disable" => put(Some(true)),
        "enable" => put(Some(false)),
        "revoke" => AccountAct::RevokeTokens(user(rest)),
        "erase" => AccountAct::Erase(user(rest)),
        "issue" => {
            let (id, cid) = rest.split_once(' ').map_or((rest, None), |(id, cid)| (id, Some(cid)));
            AccountAct::IssueToken { user: user(id), device: None, cid: cid.map(Into::into) }
        }
        id => {
            let (name, frame) = rest.split_once(' ').expect("a name and a frame");
            return (Act::As(Actor { user: user(id), name: name.into() }), Some(frame));
        }
    };
    (Act::Account(account), None)
}

impl Script {
    /// The API has something done. An acting session ends with its answer.
    pub fn acts(&mut self, text: &str) -> Vec<Effect> {
        let (act, frame) = act(text);
        self.last_act += 1;
        let connection = ConnectionId::acting(self.last_act);
        let mut effects = self.handle(Event::Acted { connection, act });
        if let Some(frame) = frame {
            effects.extend(self.says_in(connection, frame));
        }
        effects
    }

    /// The store's answer to what the API wants, if the step is one.
    pub fn answer_of_acts(
        &mut self,
        word: &str,
        rest: &str,
        asked: Option<&StoreRequest>,
    ) -> Option<StoreReply> {
        let words: Vec<&str> = rest.split(' ').collect();
        Some(match (word, &words[..]) {
            ("account", [id, name, state @ ..]) => StoreReply::Account(AccountRecord {
                user: user(id),
                name: (*name).to_owned(),
                external: None,
                disabled: state.contains(&"disabled"),
            }),
            ("reissued", [number, "for", before]) => {
                StoreReply::Reissued(token(number), TokenId(before.parse().expect("a token's number")))
            }
            ("repeated", [pos]) => {
                assert!(matches!(asked, Some(StoreRequest::StoreMessage { .. })), "nothing is to be kept");
                let pos = Some(pos.parse().expect("a place"));
                StoreReply::Stored(StoredMessage { mid: MessageId(7), ts: Millis(1), pos })
            }
            _ => return None,
        })
    }

    /// What another core tells of that, if the step is this.
    pub fn arrives_of_acts(&mut self, words: &[&str]) -> Option<(Channel, Envelope)> {
        match *words {
            ["cores", "announces", cid, ref text @ ..] => {
                let (mid, ts) = (self.next_elsewhere(), Millis(5));
                Some((Channel::Cores, Envelope::announcement(mid, ts, cid, &text.join(" "))))
            }
            ["user", id, "everything", "revoked"] => {
                Some((Channel::User(user(id)), Envelope::everything_revoked(user(id))))
            }
            _ => None,
        }
    }
}
