//! The second dialect: the seed's and more. It asks for v2 where somebody logs in, and goes on to
//! understand a server that ignores that and answers in the seed's dialect.

use super::object::Object;
use super::{BadFrame, Dialect, Heard, Saying, Speaker, changes, devices, friends, groups, seed, v2_read};
use crate::device::Device;
use crate::message::Conversation;
use crate::request::{Named, Request, Span, Takeover};
use crate::secret::Secret;
use chatd_chat::wire::msgid;

/// What `"v"` is in this dialect.
const VERSION: u64 = 2;

/// The second dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct V2;

impl Dialect for V2 {
    fn write(&self, out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, saying: Saying<'_>) {
        match saying {
            Saying::Ask(request) => ask(out, speaker, cid, request),
            Saying::Enter(Request::Login { user, password, takeover }, device) => {
                login(out, user, password, *takeover, device)
            }
            Saying::Enter(Request::LoginJwt { jwt, takeover }, device) => {
                let object = devices::names(Object::begin(out), device).text("jwt", jwt.reveal());
                let object = devices::multi(object.number("msgid", msgid::LOGIN.into()), device);
                let replacing = (*takeover == Takeover::Replace).then_some("takeover");
                object.maybe(replacing, Object::yes).number("v", VERSION).end();
            }
            Saying::Enter(request, _) => ask(out, speaker, cid, request),
            Saying::Resume(token, device) => {
                let object = devices::names(Object::begin(out), device).number("msgid", msgid::RESUME.into());
                devices::multi(object, device).text("token", token.reveal()).number("v", VERSION).end();
            }
            Saying::Ping(n) => Object::begin(out).number("msgid", msgid::PING.into()).number("n", n).end(),
            Saying::Pong(n) => Object::begin(out).number("msgid", msgid::PONG.into()).number("n", n).end(),
            Saying::Confirm(mids) => Object::begin(out)
                .numerals("mids", mids.iter().map(|mid| mid.0))
                .number("msgid", msgid::CONFIRM.into())
                .end(),
        }
    }

    fn read(&self, frame: &[u8]) -> Result<Heard, BadFrame> {
        v2_read::read(frame)
    }

    fn frame_bytes(&self) -> usize {
        seed::FRAME_BYTES
    }

    fn request_bytes(&self) -> usize {
        seed::REQUEST_BYTES
    }
}

fn ask(out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, request: &Request) {
    match request {
        Request::Login { user, password, takeover } => {
            login(out, user, password, *takeover, &Device::default())
        }
        // Of a session that goes on: it stays what it is.
        Request::LoginJwt { jwt, .. } => Object::begin(out)
            .text("cid", cid)
            .text("jwt", jwt.reveal())
            .number("msgid", msgid::LOGIN.into())
            .number("v", VERSION)
            .end(),
        Request::Register { name, password, invitation } => Object::begin(out)
            .number("msgid", msgid::REGISTER.into())
            .text("name", name)
            .text("password", password.reveal())
            .maybe(invitation.as_ref(), |object, token| object.text("token", token.reveal()))
            .number("v", VERSION)
            .end(),
        Request::History { of, span, limit } => history(Object::begin(out), cid, *of, *span, *limit),
        Request::Find(who) => {
            let object = Object::begin(out).text("cid", cid);
            match who {
                Named::Id(id) => object.user("id", *id).number("msgid", msgid::FIND.into()),
                Named::Name(name) => object.number("msgid", msgid::FIND.into()).text("name", name),
            }
            .end();
        }
        Request::ChangePassword { old, new } => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::PASSWORD.into())
            .text("new", new.reveal())
            .text("old", old.reveal())
            .end(),
        Request::Block(user) => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::BLOCK.into())
            .user("userid", *user)
            .end(),
        Request::Unblock(user) => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::UNBLOCK.into())
            .user("userid", *user)
            .end(),
        Request::Members { group, after, limit } => Object::begin(out)
            .maybe(*after, |object, after| object.user("after", after))
            .text("cid", cid)
            .group(*group)
            .number("limit", (*limit).into())
            .number("msgid", msgid::MEMBERS.into())
            .end(),
        request if devices::ask(out, cid, request) => {}
        request if changes::ask(out, cid, request) => {}
        request if groups::ask(out, cid, request) => {}
        request if friends::ask(out, cid, request) => {}
        request => seed::ask(out, speaker, cid, request),
    }
}

fn login(out: &mut Vec<u8>, user: &Named, password: &Secret, takeover: Takeover, device: &Device) {
    let object = devices::names(Object::begin(out), device);
    let object = match user {
        Named::Id(id) => devices::multi(object.user("id", *id).number("msgid", msgid::LOGIN.into()), device),
        Named::Name(name) => {
            devices::multi(object.number("msgid", msgid::LOGIN.into()), device).text("name", name)
        }
    };
    let object = object.text("password", password.reveal());
    let replacing = (takeover == Takeover::Replace).then_some("takeover");
    object.maybe(replacing, Object::yes).number("v", VERSION).end();
}

fn history(object: Object<'_>, cid: &str, of: Conversation, span: Span, limit: u32) {
    let object = match span {
        Span::Latest => object,
        Span::Before(pos) => object.number("before", pos),
        Span::After(pos) => object.number("after", pos),
    };
    let object = object.text("cid", cid);
    let object = match of {
        Conversation::In(group) => object.group(group),
        Conversation::With(_) => object,
    };
    let object = object.number("limit", limit.into()).number("msgid", msgid::HISTORY.into());
    match of {
        Conversation::With(user) => object.user("with", user),
        Conversation::In(_) => object,
    }
    .end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::{GroupId, MessageId, UserId};

    fn written(saying: Saying<'_>) -> String {
        let speaker = Speaker { id: UserId::new(25).unwrap(), name: "amy" };
        let mut out = Vec::new();
        V2.write(&mut out, Some(speaker), "c-1", saying);
        let line = String::from_utf8(out).unwrap();
        line.strip_suffix('\n').unwrap().to_owned()
    }

    #[test]
    fn every_request_is_written_as_the_protocol_has_it() {
        let (user, group) = (UserId::new(26).unwrap(), GroupId::new(3).unwrap());
        let login = |user, takeover| Request::Login { user, password: "p\"".into(), takeover };
        let page = |of, span| Request::History { of, span, limit: 20 };
        for (request, line) in [
            (login(user.into(), Takeover::Refuse), r#"{"id":26,"msgid":1,"password":"p\"","v":2}"#),
            (
                login("ben".into(), Takeover::Replace),
                r#"{"msgid":1,"name":"ben","password":"p\"","takeover":true,"v":2}"#,
            ),
            (
                Request::Register { name: "n".into(), password: "p".into(), invitation: Some("i".into()) },
                r#"{"msgid":4,"name":"n","password":"p","token":"i","v":2}"#,
            ),
            (
                Request::LoginJwt { jwt: "a.b.c".into(), takeover: Takeover::Refuse },
                r#"{"cid":"c-1","jwt":"a.b.c","msgid":1,"v":2}"#,
            ),
            (
                page(Conversation::With(user), Span::Latest),
                r#"{"cid":"c-1","limit":20,"msgid":26,"with":26}"#,
            ),
            (
                page(Conversation::In(group), Span::Before(9)),
                r#"{"before":9,"cid":"c-1","groupid":3,"limit":20,"msgid":26}"#,
            ),
            (
                page(Conversation::With(user), Span::After(9)),
                r#"{"after":9,"cid":"c-1","limit":20,"msgid":26,"with":26}"#,
            ),
            (Request::Find("b".into()), r#"{"cid":"c-1","msgid":29,"name":"b"}"#),
            (Request::Find(user.into()), r#"{"cid":"c-1","id":26,"msgid":29}"#),
            (
                Request::ChangePassword { old: "o".into(), new: "n".into() },
                r#"{"cid":"c-1","msgid":31,"new":"n","old":"o"}"#,
            ),
            (Request::Block(user), r#"{"cid":"c-1","msgid":32,"userid":26}"#),
            (Request::Unblock(user), r#"{"cid":"c-1","msgid":33,"userid":26}"#),
            (
                Request::Members { group, after: Some(user), limit: 7 },
                r#"{"after":26,"cid":"c-1","groupid":3,"limit":7,"msgid":34}"#,
            ),
            (Request::AddGroup(group), r#"{"cid":"c-1","groupid":3,"id":25,"msgid":9}"#),
            (Request::Logout, r#"{"cid":"c-1","id":25,"msgid":3}"#),
        ] {
            assert_eq!(written(Saying::Ask(&request)), line);
        }
    }

    #[test]
    fn so_is_what_nobody_asks_for() {
        assert_eq!(
            written(Saying::Resume(&"t0k".into(), &Device::default())),
            r#"{"msgid":25,"token":"t0k","v":2}"#
        );
        assert_eq!(written(Saying::Ping(3)), r#"{"msgid":22,"n":3}"#);
        assert_eq!(written(Saying::Pong(4)), r#"{"msgid":23,"n":4}"#);
        let mids = [MessageId(9_007_199_254_740_993), MessageId(2)];
        assert_eq!(written(Saying::Confirm(&mids)), r#"{"mids":["9007199254740993","2"],"msgid":24}"#);
    }

    #[test]
    fn the_server_understands_every_request() {
        use chatd_chat::model::history;
        use chatd_chat::model::limits::Limits;
        use chatd_chat::wire::json::Parser;
        use chatd_chat::wire::request::{self as server, Body};
        let (user, group) = (UserId::new(26).unwrap(), GroupId::new(3).unwrap());
        let login = |user, takeover| Request::Login { user, password: "p".into(), takeover };
        let page = |of, span| Request::History { of, span, limit: 20 };
        let paged = |conversation, span| Body::History { conversation, span, messages: Some(20) };
        let client = server::Client { dialect: server::Dialect::V2, ..server::Client::default() };
        let meant = |who, takeover| Body::Login { who, password: "p", client, takeover };
        let (direct, within) = (Conversation::With(user), Conversation::In(group));
        let (with, inside) = (history::Conversation::With(user), history::Conversation::Group(group));
        for (request, body) in [
            (login(user.into(), Takeover::Refuse), meant(server::Named::Id(user), server::Takeover::Refuse)),
            (
                login("b".into(), Takeover::Replace),
                meant(server::Named::Name("b"), server::Takeover::Replace),
            ),
            (
                Request::Register { name: "n".into(), password: "p".into(), invitation: None },
                Body::Register { name: "n", password: "p", invitation: None, client },
            ),
            (page(direct, Span::Latest), paged(with, history::Span::Newest)),
            (page(within, Span::Before(9)), paged(inside, history::Span::Before(9))),
            (page(direct, Span::After(9)), paged(with, history::Span::After(9))),
            (Request::Find("b".into()), Body::Find { who: server::Named::Name("b") }),
            (Request::Find(user.into()), Body::Find { who: server::Named::Id(user) }),
            (
                Request::ChangePassword { old: "o".into(), new: "n".into() },
                Body::Password { old: "o", new: "n" },
            ),
            (Request::Block(user), Body::Block { user }),
            (Request::Unblock(user), Body::Unblock { user }),
            (
                Request::Members { group, after: Some(user), limit: 7 },
                Body::Members { group, after: Some(user), members: Some(7) },
            ),
            (Request::AddFriend(user), Body::AddFriend { friend: user }),
        ] {
            let mut bytes = written(Saying::Ask(&request)).into_bytes();
            assert_eq!(server::parse(&mut bytes, &mut Parser::new(), &Limits::default()).unwrap().body, body);
        }
        let mids = [MessageId(9_007_199_254_740_993)];
        for (saying, body) in [
            (Saying::Resume(&"t".into(), &Device::default()), Body::Resume { token: "t", client }),
            (
                Saying::Enter(
                    &Request::LoginJwt { jwt: "a.b.c".into(), takeover: Takeover::Replace },
                    &Device::default(),
                ),
                Body::JwtLogin { jwt: "a.b.c", client, takeover: server::Takeover::Replace },
            ),
            (Saying::Ping(7), Body::Ping { n: 7 }),
            (Saying::Pong(7), Body::Pong),
            (Saying::Confirm(&mids), Body::Confirm { mids: mids.to_vec() }),
        ] {
            let mut bytes = written(saying).into_bytes();
            assert_eq!(server::parse(&mut bytes, &mut Parser::new(), &Limits::default()).unwrap().body, body);
        }
    }
}
