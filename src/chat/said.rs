//! What a client says: whether its session may say that, and which rule answers it.

use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::SessionId;
use super::session::Phase;
use super::wire::code::Code;
use super::wire::frame::Terminator;
use super::wire::request::{Body, Named, Request};

impl Hub {
    pub(super) fn said(
        &mut self,
        id: SessionId,
        terminator: Terminator,
        request: Request<'_>,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.session_mut(id).filter(|session| !session.closing) else { return };
        session.terminator = terminator;
        let about = About { session: id, re: request.body.msgid(), cid: request.cid };
        let user = match &session.phase {
            Phase::Online(online) => Some(online.user),
            _ => None,
        };
        if self.pending.len() >= self.limits.tickets {
            return self.refuse(about, Code::Busy, out);
        }
        let user = match (&request.body, user) {
            (Body::Register { name, password, .. }, _) => return self.register(id, name, password, out),
            (&Body::Login { who: Named::Id(wanted), password, .. }, user) => {
                return self.login(id, user, wanted, password, out);
            }
            (_, None) => return self.refuse(about, Code::LoginFirst, out),
            (_, Some(user)) if request.id != Some(user) => {
                return self.refuse_with(about, Code::NotYours, "id is not the user of this session", out);
            }
            (_, Some(user)) => user,
        };
        match request.body {
            Body::OneChat { to, msg, time } => self.one_chat(about, user, to, msg, time, out),
            Body::GroupChat { group, msg, time } => self.group_chat(about, user, group, msg, time, out),
            Body::AddFriend { friend } => self.add_friend(about, user, friend, out),
            Body::DelFriend { friend } => self.del_friend(about, user, friend, out),
            Body::CreateGroup { name, desc } => self.create_group(about, user, name, desc, out),
            Body::AddGroup { group } => self.add_group(about, user, group, out),
            Body::DelGroup { group } => self.del_group(about, user, group, out),
            Body::ShowFriends => self.show_friends(about, user, out),
            Body::Logout => self.logout(about, out),
            Body::Login { .. } | Body::Register { .. } => unreachable!("answered above"),
            _ => self.refuse(about, Code::UnknownMsgid, out),
        }
    }
}
