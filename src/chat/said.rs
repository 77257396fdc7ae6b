//! What a client says: whether its session may say that, and which rule answers it.

use super::account::Login;
use super::effect::Effect;
use super::history::Page;
use super::hub::{About, Hub};
use super::ids::{SessionId, UserId};
use super::session::Phase;
use super::wire::code::Code;
use super::wire::frame::Terminator;
use super::wire::msgid;
use super::wire::request::{Body, Dialect, Request};

impl Hub {
    pub(super) fn said(
        &mut self,
        id: SessionId,
        terminator: Terminator,
        request: Request<'_>,
        out: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let Some(session) = self.session_mut(id).filter(|session| !session.closing) else { return };
        session.terminator = terminator;
        (session.heard_at, session.pong_by) = (now, None);
        let dialect = session.dialect;
        let user = match &session.phase {
            Phase::Online(online) => Some(online.user),
            _ => None,
        };
        let about = About { session: id, re: request.body.msgid(), cid: request.cid };
        if let Body::Ping { n } = request.body {
            return self.pinged(id, n, out);
        }
        if matches!(request.body, Body::Pong) && dialect == Dialect::V2 {
            // That it came is all there is to it. Who has not logged in yet is pinged, too.
            return;
        }
        if self.pending.len() >= self.limits.tickets {
            return self.refuse(about, Code::Busy, out);
        }
        let user = match (&request.body, user) {
            (&Body::Register { name, password, dialect: asked_for }, user) => {
                // Who is logged in goes on as it logged in.
                let dialect = if user.is_some() { dialect } else { asked_for };
                return self.register(id, name, password, dialect, out);
            }
            (&Body::Login { who, password, dialect, takeover }, user) => {
                return self.login(about, user, Login { who, password, dialect, takeover }, out);
            }
            (&Body::Resume { token }, user) => return self.resume_by_token(about, user, token, out),
            (_, None) => return self.refuse(about, Code::LoginFirst, out),
            (_, Some(_)) if dialect == Dialect::Seed && msgid::is_of_v2(about.re) => {
                return self.refuse(about, Code::UnknownMsgid, out);
            }
            (_, Some(user)) if request.id.is_some_and(|id| id != user) => {
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
            body => self.said_v2(about, user, body, out),
        }
    }

    /// What only the second dialect knows.
    fn said_v2(&mut self, about: About<'_>, user: UserId, body: Body<'_>, out: &mut Vec<Effect>) {
        match body {
            Body::Confirm { mids } => self.confirm(about, user, mids, out),
            Body::History { conversation, span, messages } => {
                self.history(about, user, Page { conversation, span, messages }, out);
            }
            Body::Find { who } => self.find(about, who, out),
            Body::Members { group, after, members } => self.members(about, user, group, after, members, out),
            Body::Password { old, new } => self.change_password(about, user, old, new, out),
            Body::Block { user: blocked } => self.block(about, user, blocked, out),
            Body::Unblock { user: blocked } => self.unblock(about, user, blocked, out),
            _ => unreachable!("what both dialects know was answered before"),
        }
    }
}
