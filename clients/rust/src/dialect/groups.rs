//! What the second dialect says to run a group.

use super::object::Object;
use crate::group::{Joining, Muted};
use crate::request::Request;
use crate::roster::Role;
use chatd_chat::wire::msgid;

/// Writes such a request; false if it is none.
pub(super) fn ask(out: &mut Vec<u8>, cid: &str, request: &Request) -> bool {
    match request {
        Request::SetRole { group, user, role } => Object::begin(out)
            .text("cid", cid)
            .group(*group)
            .number("msgid", msgid::ROLE.into())
            .text("role", role_name(*role))
            .user("userid", *user)
            .end(),
        Request::Kick { group, user, ban } => Object::begin(out)
            .until("ban_until", *ban)
            .text("cid", cid)
            .group(*group)
            .number("msgid", msgid::KICK.into())
            .user("userid", *user)
            .end(),
        Request::Mute { group, whom, until } => {
            let all = (*whom == Muted::All).then_some("all");
            let object = Object::begin(out)
                .maybe(all, Object::yes)
                .text("cid", cid)
                .group(*group)
                .number("msgid", msgid::MUTE.into())
                .until("until", *until);
            match whom {
                Muted::Member(user) => object.user("userid", *user),
                Muted::All => object,
            }
            .end();
        }
        Request::SetGroup { group, name, desc, join } => Object::begin(out)
            .text("cid", cid)
            .maybe(desc.as_deref(), |object, desc| object.text("groupdesc", desc))
            .group(*group)
            .maybe(name.as_deref(), |object, name| object.text("groupname", name))
            .maybe(*join, |object, join| object.text("join", joining_name(join)))
            .number("msgid", msgid::GROUP_SET.into())
            .end(),
        Request::AnswerJoin { group, user, yes } => Object::begin(out)
            .text("cid", cid)
            .group(*group)
            .number("msgid", msgid::JOIN_ANSWER.into())
            .user("userid", *user)
            .flag("yes", *yes)
            .end(),
        Request::Joins(group) => {
            Object::begin(out).text("cid", cid).group(*group).number("msgid", msgid::JOINS.into()).end();
        }
        _ => return false,
    }
    true
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Normal => "normal",
    }
}

pub(super) fn joining_name(joining: Joining) -> &'static str {
    match joining {
        Joining::Open => "open",
        Joining::Ask => "ask",
        Joining::Closed => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{group, is_meant, is_written, user};
    use super::*;
    use crate::group::Until;
    use chatd_chat::model::group_rule::{self as server, GroupRule};
    use chatd_chat::model::ids::Millis;
    use chatd_chat::model::profile;
    use chatd_chat::wire::request::Body;

    #[test]
    fn what_runs_a_group_is_written_as_the_protocol_has_it() {
        let (group, user) = (group(3), user(26));
        let (name, until) = (Some("tea \"2\"".to_owned()), |until| server::Until::new(until).unwrap());
        let ruled = |rule| Body::RuleGroup { group, rule };
        for (request, line, body) in [
            (
                Request::SetRole { group, user, role: Role::Admin },
                r#"{"cid":"c-1","groupid":3,"msgid":47,"role":"admin","userid":26}"#,
                ruled(GroupRule::Role { user, role: profile::Role::Admin }),
            ),
            (
                Request::SetRole { group, user, role: Role::Owner },
                r#"{"cid":"c-1","groupid":3,"msgid":47,"role":"owner","userid":26}"#,
                ruled(GroupRule::Role { user, role: profile::Role::Creator }),
            ),
            (
                Request::Kick { group, user, ban: Until::Ever },
                r#"{"ban_until":-1,"cid":"c-1","groupid":3,"msgid":48,"userid":26}"#,
                ruled(GroupRule::Kick { user, ban: server::Until::FOR_EVER }),
            ),
            (
                Request::Mute { group, whom: Muted::Member(user), until: Until::At(Millis(9)) },
                r#"{"cid":"c-1","groupid":3,"msgid":49,"until":9,"userid":26}"#,
                ruled(GroupRule::Mute { user, until: until(9) }),
            ),
            (
                Request::Mute { group, whom: Muted::All, until: Until::Lifted },
                r#"{"all":true,"cid":"c-1","groupid":3,"msgid":49,"until":0}"#,
                ruled(GroupRule::MuteAll { until: until(0) }),
            ),
            (
                Request::SetGroup {
                    group,
                    name: name.clone(),
                    desc: Some(String::new()),
                    join: Some(Joining::Ask),
                },
                r#"{"cid":"c-1","groupdesc":"","groupid":3,"groupname":"tea \"2\"","join":"ask","msgid":50}"#,
                ruled(GroupRule::Set {
                    name,
                    desc: Some(String::new()),
                    join: Some(server::JoinPolicy::Ask),
                }),
            ),
            (
                Request::AnswerJoin { group, user, yes: false },
                r#"{"cid":"c-1","groupid":3,"msgid":55,"userid":26,"yes":false}"#,
                ruled(GroupRule::Answer { user, yes: false }),
            ),
            (Request::Joins(group), r#"{"cid":"c-1","groupid":3,"msgid":56}"#, Body::JoinRequests { group }),
        ] {
            is_written(&request, line);
            is_meant(line, &body);
        }
    }
}
