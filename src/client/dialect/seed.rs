//! The seed's dialect: what the original client speaks, and `cid`s, which it does not.
//!
//! Keys are sorted, as the original client's are. Frames end with a newline and not with its NUL:
//! a server takes that for somebody who can read more than one small frame at a time.

use super::{Dialect, Garbled, Heard, Speaker, seed_read};
use crate::chat::ids::{GroupId, UserId};
use crate::chat::wire::{msgid, text};
use crate::client::message::Conversation;
use crate::client::request::Request;

/// The longest push is 128 KiB; some slack, because a bound that is met exactly helps nobody.
const FRAME_BYTES: usize = (128 << 10) + (16 << 10);
/// The bound of a server that was not told otherwise.
const REQUEST_BYTES: usize = 64 << 10;

/// The seed's dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seed;

impl Dialect for Seed {
    fn write(&self, out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, request: &Request) {
        let id = speaker.map(|speaker| speaker.id);
        let name = speaker.map_or("", |speaker| speaker.name);
        let object = Object::begin(out);
        match request {
            Request::Login { user, password } => object
                .number("id", user.get())
                .number("msgid", msgid::LOGIN)
                .text("password", password.reveal()),
            Request::Register { name, password } => {
                object.number("msgid", msgid::REGISTER).text("name", name).text("password", password.reveal())
            }
            Request::Logout => object.text("cid", cid).user(id).number("msgid", msgid::LOGOUT),
            Request::Say { to: Conversation::With(to), text, time } => object
                .text("cid", cid)
                .user(id)
                .text("msg", text)
                .number("msgid", msgid::ONE_CHAT)
                .text("name", name)
                .text("time", time)
                .number("toid", to.get()),
            Request::Say { to: Conversation::In(group), text, time } => object
                .text("cid", cid)
                .group(*group)
                .user(id)
                .text("msg", text)
                .number("msgid", msgid::GROUP_CHAT)
                .text("name", name)
                .text("time", time),
            Request::AddFriend(friend) => object
                .text("cid", cid)
                .number("friendid", friend.get())
                .user(id)
                .number("msgid", msgid::ADD_FRIEND),
            Request::DelFriend(friend) => object
                .text("cid", cid)
                .number("friendid", friend.get())
                .user(id)
                .number("msgid", msgid::DEL_FRIEND),
            Request::CreateGroup { name, desc } => object
                .text("cid", cid)
                .text("groupdesc", desc)
                .text("groupname", name)
                .user(id)
                .number("msgid", msgid::CREATE_GROUP),
            Request::AddGroup(group) => {
                object.text("cid", cid).group(*group).user(id).number("msgid", msgid::ADD_GROUP)
            }
            Request::DelGroup(group) => {
                object.text("cid", cid).group(*group).user(id).number("msgid", msgid::DEL_GROUP)
            }
            Request::ShowFriends => object.text("cid", cid).user(id).number("msgid", msgid::SHOW_FRIENDS),
        }
        .end();
    }

    fn read(&self, frame: &[u8]) -> Result<Heard, Garbled> {
        seed_read::read(frame)
    }

    fn frame_bytes(&self) -> usize {
        FRAME_BYTES
    }

    fn request_bytes(&self) -> usize {
        REQUEST_BYTES
    }
}

/// A flat JSON object under construction.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        text::string(self.out, key);
        self.out.push(b':');
    }

    fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        text::string(self.out, value);
        self
    }

    fn number(mut self, key: &str, value: u32) -> Self {
        self.key(key);
        text::number(self.out, value.into());
        self
    }

    fn group(self, group: GroupId) -> Self {
        self.number("groupid", group.get())
    }

    fn user(self, user: Option<UserId>) -> Self {
        match user {
            Some(user) => self.number("id", user.get()),
            None => self,
        }
    }

    fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::limits::Limits;
    use crate::chat::wire::json::Parser;
    use crate::chat::wire::request::{self, Body, Named, Takeover, parse};

    fn frame(request: &Request) -> String {
        let speaker = Speaker { id: UserId::new(25).unwrap(), name: "amy" };
        let speaker =
            Some(speaker).filter(|_| !matches!(request, Request::Login { .. } | Request::Register { .. }));
        let mut out = Vec::new();
        Seed.write(&mut out, speaker, "c-1", request);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn frames_are_the_original_clients_but_for_cid_and_terminator() {
        let user = UserId::new(26).unwrap();
        let login = Request::Login { user, password: "pw1".into() };
        assert_eq!(frame(&login), "{\"id\":26,\"msgid\":1,\"password\":\"pw1\"}\n");
        let register = Request::Register { name: "amy".into(), password: "pw1".into() };
        assert_eq!(frame(&register), "{\"msgid\":4,\"name\":\"amy\",\"password\":\"pw1\"}\n");
        assert_eq!(
            frame(&Request::Say {
                to: Conversation::With(user),
                text: "a: \"b\"".into(),
                time: "2024-01-01 00:00:00".into()
            }),
            "{\"cid\":\"c-1\",\"id\":25,\"msg\":\"a: \\\"b\\\"\",\"msgid\":6,\"name\":\"amy\",\
             \"time\":\"2024-01-01 00:00:00\",\"toid\":26}\n"
        );
    }

    #[test]
    fn the_server_understands_every_request() {
        let (user, group) = (UserId::new(26).unwrap(), GroupId::new(3).unwrap());
        let (text, time) = ("你好 \u{1b}[2J\n".to_owned(), "2024-01-01 00:00:00".to_owned());
        let say = |to| Request::Say { to, text: text.clone(), time: time.clone() };
        let (msg, at) = (text.as_str(), Some(time.as_str()));
        for (said, meant) in [
            (
                Request::Login { user, password: "p".into() },
                Body::Login {
                    who: Named::Id(user),
                    password: "p",
                    dialect: request::Dialect::Seed,
                    takeover: Takeover::Refuse,
                },
            ),
            (Request::Logout, Body::Logout),
            (
                Request::Register { name: "n".into(), password: "p".into() },
                Body::Register { name: "n", password: "p", dialect: request::Dialect::Seed },
            ),
            (say(Conversation::With(user)), Body::OneChat { to: user, msg, time: at }),
            (say(Conversation::In(group)), Body::GroupChat { group, msg, time: at }),
            (Request::AddFriend(user), Body::AddFriend { friend: user }),
            (Request::DelFriend(user), Body::DelFriend { friend: user }),
            (
                Request::CreateGroup { name: "g".into(), desc: String::new() },
                Body::CreateGroup { name: "g", desc: "" },
            ),
            (Request::AddGroup(group), Body::AddGroup { group }),
            (Request::DelGroup(group), Body::DelGroup { group }),
            (Request::ShowFriends, Body::ShowFriends),
        ] {
            let mut bytes = frame(&said).into_bytes();
            assert_eq!(bytes.pop(), Some(b'\n'));
            let heard = parse(&mut bytes, &mut Parser::new(), &Limits::default()).unwrap();
            assert_eq!(heard.body, meant);
            let named = !matches!(said, Request::Login { .. } | Request::Register { .. });
            assert_eq!(heard.cid, named.then_some("c-1"));
        }
    }
}
