//! What the second dialect says of devices, and what a device of several asks for.

use super::object::Object;
use crate::device::{Cap, Device};
use crate::request::Request;
use chatd_chat::wire::msgid;

/// What the device is called and understands. Keys are sorted: these come first.
pub(super) fn names<'a>(object: Object<'a>, device: &Device) -> Object<'a> {
    let caps = (!device.caps.is_empty()).then(|| device.caps.iter().map(|cap| name(*cap)));
    object
        .maybe(caps, |object, caps| object.texts("caps", caps))
        .maybe(device.name.as_deref(), |object, name| object.text("device", name))
}

/// Whether it lives beside others.
pub(super) fn multi<'a>(object: Object<'a>, device: &Device) -> Object<'a> {
    object.maybe(device.multi.then_some("multi"), Object::yes)
}

fn name(cap: Cap) -> &'static str {
    match cap {
        Cap::Own => "own",
        Cap::Read => "read",
        Cap::Typing => "typing",
        Cap::Changed => "changed",
        Cap::Group => "group",
        Cap::Friend => "friend",
    }
}

/// Writes a request of a device; false if it is none.
pub(super) fn ask(out: &mut Vec<u8>, cid: &str, request: &Request) -> bool {
    match request {
        Request::Sync { since, limit } => Object::begin(out)
            .text("cid", cid)
            .number("limit", (*limit).into())
            .number("msgid", msgid::SYNC.into())
            .since(since)
            .end(),
        Request::Heads { before, limit } => Object::begin(out)
            .maybe(*before, |object, before| object.numeral("before_mid", before.0))
            .text("cid", cid)
            .number("limit", (*limit).into())
            .number("msgid", msgid::SYNC.into())
            .end(),
        Request::Read { of, pos, private } => Object::begin(out)
            .text("cid", cid)
            .inside(*of)
            .number("msgid", msgid::READ.into())
            .number("pos", *pos)
            .maybe(private.then_some("private"), Object::yes)
            .outside(*of)
            .end(),
        Request::Typing { to, on } => Object::begin(out)
            .text("cid", cid)
            .inside(*to)
            .number("msgid", msgid::TYPING.into())
            .flag("on", *on)
            .outside(*to)
            .end(),
        Request::Devices => {
            Object::begin(out).text("cid", cid).number("msgid", msgid::DEVICES.into()).end();
        }
        Request::DropDevice(device) => Object::begin(out)
            .text("cid", cid)
            .numeral("deviceid", device.0)
            .number("msgid", msgid::DROP_DEVICE.into())
            .end(),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceId, Since};
    use crate::dialect::v2::V2;
    use crate::dialect::{Dialect, Saying};
    use crate::message::Conversation;
    use crate::request::Takeover;
    use chatd_chat::model::capabilities::Capabilities;
    use chatd_chat::model::history::{self, SyncFrom};
    use chatd_chat::model::ids::{GroupId, MessageId, UserId};
    use chatd_chat::model::limits::Limits;
    use chatd_chat::model::token::TokenId;
    use chatd_chat::wire::json::Parser;
    use chatd_chat::wire::request::{self as server, Body};

    fn since(conversation: Conversation, after: u64, chg: Option<u64>) -> Since {
        Since { conversation, after, chg }
    }

    fn written(saying: Saying<'_>) -> String {
        let mut out = Vec::new();
        V2.write(&mut out, None, "c-1", saying);
        let line = String::from_utf8(out).unwrap();
        line.strip_suffix('\n').unwrap().to_owned()
    }

    /// What the server takes it for is checked, too.
    fn is_written(saying: Saying<'_>, line: &str, body: Body<'_>) {
        let mut bytes = written(saying).into_bytes();
        assert_eq!(String::from_utf8_lossy(&bytes), line);
        assert_eq!(server::parse(&mut bytes, &mut Parser::new(), &Limits::default()).unwrap().body, body);
    }

    #[test]
    fn a_device_says_what_it_is_when_it_logs_in_and_when_it_comes_back() {
        let device = Device::beside_others("desk \"1\"");
        let client = server::Client {
            dialect: server::Dialect::V2,
            capabilities: ["own", "read", "typing", "changed", "group", "friend"]
                .into_iter()
                .fold(Capabilities::default(), |all, name| all.with(Capabilities::named(name))),
            device: Some("desk \"1\""),
            multi: true,
        };
        let (who, password) = (server::Named::Id(UserId::new(7).unwrap()), "p");
        let login = Request::Login {
            user: UserId::new(7).unwrap().into(),
            password: "p".into(),
            takeover: Takeover::Refuse,
        };
        is_written(
            Saying::Enter(&login, &device),
            r#"{"caps":["own","read","typing","changed","group","friend"],"device":"desk \"1\"","id":7,"msgid":1,"multi":true,"password":"p","v":2}"#,
            Body::Login { who, password, client, takeover: server::Takeover::Refuse },
        );
        is_written(
            Saying::Resume(&"t0k".into(), &device),
            r#"{"caps":["own","read","typing","changed","group","friend"],"device":"desk \"1\"","msgid":25,"multi":true,"token":"t0k","v":2}"#,
            Body::Resume { token: "t0k", client },
        );
        let nothing = Device::default();
        assert_eq!(written(Saying::Enter(&login, &nothing)), r#"{"id":7,"msgid":1,"password":"p","v":2}"#);
        let mut seed = Vec::new();
        crate::dialect::seed::Seed.write(&mut seed, None, "", Saying::Enter(&login, &device));
        assert_eq!(seed, b"{\"id\":7,\"msgid\":1,\"password\":\"p\"}\n");
    }

    #[test]
    fn every_request_of_a_device_is_written_as_the_protocol_has_it() {
        let (user, group) = (UserId::new(26).unwrap(), GroupId::new(3).unwrap());
        let (direct, within) = (Conversation::With(user), Conversation::In(group));
        let (with, inside) = (history::Conversation::With(user), history::Conversation::Group(group));
        let mid = MessageId(9_007_199_254_740_993);
        for (request, line, body) in [
            (
                Request::Sync { since: vec![since(direct, 0, Some(4)), since(within, 7, None)], limit: 50 },
                r#"{"cid":"c-1","limit":50,"msgid":36,"since":[{"after":0,"chg":4,"with":26},{"after":7,"groupid":3}]}"#,
                Body::Sync {
                    since: [(with, 0, Some(4)), (inside, 7, None)]
                        .map(|(conversation, after, chg)| SyncFrom { conversation, after, chg })
                        .to_vec(),
                    messages: Some(50),
                },
            ),
            (
                Request::Heads { before: Some(mid), limit: 9 },
                r#"{"before_mid":"9007199254740993","cid":"c-1","limit":9,"msgid":36}"#,
                Body::Heads { before: Some(mid), heads: Some(9) },
            ),
            (
                Request::Heads { before: None, limit: 9 },
                r#"{"cid":"c-1","limit":9,"msgid":36}"#,
                Body::Heads { before: None, heads: Some(9) },
            ),
            (
                Request::Read { of: direct, pos: 5, private: true },
                r#"{"cid":"c-1","msgid":38,"pos":5,"private":true,"with":26}"#,
                Body::Read { conversation: with, pos: 5, private: true },
            ),
            (
                Request::Read { of: within, pos: 5, private: false },
                r#"{"cid":"c-1","groupid":3,"msgid":38,"pos":5}"#,
                Body::Read { conversation: inside, pos: 5, private: false },
            ),
            (
                Request::Typing { to: direct, on: false },
                r#"{"cid":"c-1","msgid":39,"on":false,"with":26}"#,
                Body::Typing { conversation: with, on: false },
            ),
            (Request::Devices, r#"{"cid":"c-1","msgid":40}"#, Body::Devices),
            (
                Request::DropDevice(DeviceId(6_917_529_027_641_081_852)),
                r#"{"cid":"c-1","deviceid":"6917529027641081852","msgid":42}"#,
                Body::DropDevice { token: TokenId(6_917_529_027_641_081_852) },
            ),
        ] {
            assert!(request.is_of_v2());
            is_written(Saying::Ask(&request), line, body);
        }
    }
}
