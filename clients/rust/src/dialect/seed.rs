//! The seed's dialect: what the original client speaks, and `cid`s, which it does not.
//!
//! Keys are sorted, as the original client's are. Frames end with a newline and not with its NUL:
//! a server takes that for somebody who can read more than one small frame at a time.

use super::object::Object;
use super::{BadFrame, Dialect, Heard, Saying, Speaker, seed_read};
use crate::message::Conversation;
use crate::request::{Named, Request};
use chatd_chat::wire::msgid;

/// The longest push is 128 KiB; some slack, because a bound that is met exactly helps nobody.
pub(super) const FRAME_BYTES: usize = (128 << 10) + (16 << 10);
/// The bound of a server that was not told otherwise.
pub(super) const REQUEST_BYTES: usize = 64 << 10;

/// The seed's dialect. What it has no words for is not written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seed;

impl Dialect for Seed {
    fn write(&self, out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, saying: Saying<'_>) {
        let (Saying::Ask(request) | Saying::Enter(request, _)) = saying else { return };
        match request {
            Request::Login { user: Named::Id(user), password, .. } => Object::begin(out)
                .user("id", *user)
                .number("msgid", msgid::LOGIN.into())
                .text("password", password.reveal())
                .end(),
            Request::Register { name, password, invitation } => Object::begin(out)
                .number("msgid", msgid::REGISTER.into())
                .text("name", name)
                .text("password", password.reveal())
                .maybe(invitation.as_ref(), |object, token| object.text("token", token.reveal()))
                .end(),
            request => ask(out, speaker, cid, request),
        }
    }

    fn read(&self, frame: &[u8]) -> Result<Heard, BadFrame> {
        seed_read::read(frame)
    }

    fn frame_bytes(&self) -> usize {
        FRAME_BYTES
    }

    fn request_bytes(&self) -> usize {
        REQUEST_BYTES
    }
}

/// Writes what somebody who is logged in asks for, where the seed's dialect has words for it.
pub(super) fn ask(out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, request: &Request) {
    let name = speaker.map_or("", |speaker| speaker.name);
    if request.is_of_v2() {
        return;
    }
    let object = Object::begin(out).text("cid", cid);
    match request {
        Request::Say { to, text, time, extras } => {
            let group = match to {
                Conversation::In(group) => Some(*group),
                Conversation::With(_) => None,
            };
            let msgid = if group.is_some() { msgid::GROUP_CHAT } else { msgid::ONE_CHAT };
            // The seed's dialect has no such fields; a server of it looks over them.
            let object = object.maybe(extras.data.as_ref(), |object, data| object.json("data", data));
            let said = by(speaker, object.maybe(group, Object::group))
                .text("msg", text)
                .number("msgid", msgid.into())
                .text("name", name)
                .maybe(extras.reply, |object, pos| object.number("reply", pos))
                .text("time", time);
            match to {
                Conversation::With(to) => said.user("toid", *to),
                Conversation::In(_) => said,
            }
        }
        Request::AddFriend(friend) => {
            by(speaker, object.user("friendid", *friend)).number("msgid", msgid::ADD_FRIEND.into())
        }
        Request::DelFriend(friend) => {
            by(speaker, object.user("friendid", *friend)).number("msgid", msgid::DEL_FRIEND.into())
        }
        Request::CreateGroup { name, desc } => {
            by(speaker, object.text("groupdesc", desc).text("groupname", name))
                .number("msgid", msgid::CREATE_GROUP.into())
        }
        Request::AddGroup(group) => {
            by(speaker, object.group(*group)).number("msgid", msgid::ADD_GROUP.into())
        }
        Request::DelGroup(group) => {
            by(speaker, object.group(*group)).number("msgid", msgid::DEL_GROUP.into())
        }
        Request::ShowFriends => by(speaker, object).number("msgid", msgid::SHOW_FRIENDS.into()),
        _ => by(speaker, object).number("msgid", msgid::LOGOUT.into()),
    }
    .end();
}

fn by<'a>(speaker: Option<Speaker<'_>>, object: Object<'a>) -> Object<'a> {
    object.maybe(speaker, |object, speaker| object.user("id", speaker.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Data, Extras};
    use crate::request::Takeover as Asked;
    use chatd_chat::model::ids::{GroupId, UserId};
    use chatd_chat::model::limits::Limits;
    use chatd_chat::wire::json::Parser;
    use chatd_chat::wire::request::{self, Body, Takeover, parse};

    fn frame(request: &Request) -> String {
        let speaker = Speaker { id: UserId::new(25).unwrap(), name: "amy" };
        let speaker =
            Some(speaker).filter(|_| !matches!(request, Request::Login { .. } | Request::Register { .. }));
        let mut out = Vec::new();
        Seed.write(&mut out, speaker, "c-1", Saying::Ask(request));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn frames_are_the_original_clients_but_for_cid_and_terminator() {
        let user = UserId::new(26).unwrap();
        let login = Request::Login { user: user.into(), password: "pw1".into(), takeover: Asked::Refuse };
        assert_eq!(frame(&login), "{\"id\":26,\"msgid\":1,\"password\":\"pw1\"}\n");
        let register = Request::Register { name: "amy".into(), password: "pw1".into(), invitation: None };
        assert_eq!(frame(&register), "{\"msgid\":4,\"name\":\"amy\",\"password\":\"pw1\"}\n");
        assert_eq!(
            frame(&Request::Say {
                to: Conversation::With(user),
                text: "a: \"b\"".into(),
                time: "2024-01-01 00:00:00".into(),
                extras: Extras::default(),
            }),
            "{\"cid\":\"c-1\",\"id\":25,\"msg\":\"a: \\\"b\\\"\",\"msgid\":6,\"name\":\"amy\",\
             \"time\":\"2024-01-01 00:00:00\",\"toid\":26}\n"
        );
    }

    #[test]
    fn the_server_understands_every_request() {
        let (user, group) = (UserId::new(26).unwrap(), GroupId::new(3).unwrap());
        let (text, time) = ("你好 \u{1b}[2J\n".to_owned(), "2024-01-01 00:00:00".to_owned());
        let extras = Extras { reply: Some(7), data: Data::parse("{\"a\":[1]}") };
        let carried = chatd_chat::model::extras::Extras::new(Some("{\"a\":[1]}"), Some(7));
        let say = |to| Request::Say { to, text: text.clone(), time: time.clone(), extras: extras.clone() };
        let (msg, at) = (text.as_str(), Some(time.as_str()));
        for (said, meant) in [
            (
                Request::Login { user: user.into(), password: "p".into(), takeover: Asked::Refuse },
                Body::Login {
                    who: request::Named::Id(user),
                    password: "p",
                    client: request::Client::default(),
                    takeover: Takeover::Refuse,
                },
            ),
            (Request::Logout, Body::Logout),
            (
                Request::Register { name: "n".into(), password: "p".into(), invitation: None },
                Body::Register {
                    name: "n",
                    password: "p",
                    invitation: None,
                    client: request::Client::default(),
                },
            ),
            (
                say(Conversation::With(user)),
                Body::OneChat { to: user, msg, time: at, extras: Ok(carried.clone()) },
            ),
            (say(Conversation::In(group)), Body::GroupChat { group, msg, time: at, extras: Ok(carried) }),
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
