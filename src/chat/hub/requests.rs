//! Requests: whether a connection may ask for something, and which room answers it.

use super::Hub;
use crate::changes::AlterQuery;
use crate::connection::{About, Connections};
use crate::login::Credentials;
use crate::model::extras::Extras;
use crate::model::group_rule::NewRow;
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, UserId};
use crate::model::name;
use crate::port::cx::Cx;
use crate::port::in_flight::Change;
use crate::port::seal::Said;
use crate::port::store::StoreRequest;
use crate::social::{HistoryQuery, SearchQuery};
use crate::wire::code::Code;
use crate::wire::frame::Terminator;
use crate::wire::msgid;
use crate::wire::request::{BadExtras, Body, Dialect, Request};

impl Hub {
    pub(super) fn on_request(&mut self, id: ConnectionId, terminator: Terminator, request: Request<'_>) {
        let Self { cx, connections, .. } = self;
        let Some(connection) = connections.get_mut(id).filter(|connection| !connection.is_closing()) else {
            return;
        };
        connection.terminator = terminator;
        connection.note_heard(cx.now);
        let (dialect, user) = (connection.dialect, connection.logged_in_user());
        let about = About { connection: id, re: request.body.msgid(), cid: request.cid };
        if !self.admits(about, &request) {
            return;
        }
        let Self { cx, connections, .. } = self;
        if let Body::Ping { n } = request.body {
            return connections.on_ping(cx, id, n);
        }
        if matches!(request.body, Body::Pong) && dialect == Dialect::V2 {
            // That it came is all there is to it. Who has not logged in yet is pinged, too.
            return;
        }
        if cx.in_flight.len() >= cx.limits.requests_in_flight {
            return connections.refuse(cx, about, Code::Busy);
        }
        if cx.draining && msgid::is_entrance(about.re) {
            return connections.close_for(cx, id, Code::Draining, Code::Draining.text());
        }
        if self.on_entrance(about, &request.body, user) {
            return;
        }
        let Self { cx, connections, .. } = self;
        let Some(user) = user else { return connections.refuse(cx, about, Code::LoginFirst) };
        if dialect == Dialect::V1 && msgid::is_of_v2(about.re) {
            return connections.refuse(cx, about, Code::UnknownMsgid);
        }
        if request.id.is_some_and(|id| id != user) {
            return connections.refuse_with(cx, about, Code::NotYours, "id is not the user of this session");
        }
        self.on_session_request(about, user, request.body);
    }

    /// What may be asked for before a login; whether it was that. `user` is who the connection is already.
    fn on_entrance(&mut self, about: About<'_>, body: &Body<'_>, user: Option<UserId>) -> bool {
        let Self { cx, connections, logins, .. } = self;
        match *body {
            Body::Register { name, password, invitation, client } => {
                // Who is logged in goes on as it logged in.
                let client = user.is_none().then_some(client);
                let said = (name, password, invitation);
                logins.on_register(cx, connections, about.connection, said, client);
            }
            Body::Login { who, password, client, takeover } => {
                let credentials = Credentials { who, password, client, takeover };
                logins.on_login(cx, connections, about, user, credentials);
            }
            Body::JwtLogin { jwt, client, takeover } => {
                logins.on_jwt(cx, connections, about, user, (jwt, client, takeover));
            }
            Body::Resume { token, client } => logins.on_resume(cx, connections, about, user, (token, client)),
            Body::Ping { .. }
            | Body::Pong
            | Body::Confirm { .. }
            | Body::History { .. }
            | Body::Find { .. } => {
                return false;
            }
            Body::Password { .. } | Body::Block { .. } | Body::Unblock { .. } | Body::Members { .. } => {
                return false;
            }
            Body::Logout | Body::OneChat { .. } | Body::GroupChat { .. } | Body::ShowFriends => return false,
            Body::Sync { .. } | Body::Heads { .. } | Body::Read { .. } | Body::Typing { .. } => return false,
            Body::Devices | Body::DropDevice { .. } | Body::Search { .. } | Body::Alter { .. } => {
                return false;
            }
            Body::PushToken { .. } => {
                return false;
            }
            Body::FriendAsk { .. } | Body::FriendAnswer { .. } | Body::Settings { .. } => return false,
            Body::RuleGroup { .. } | Body::JoinRequests { .. } => return false,
            Body::AddFriend { .. } | Body::DelFriend { .. } => return false,
            Body::CreateGroup { .. } | Body::AddGroup { .. } | Body::DelGroup { .. } => return false,
        }
        true
    }

    /// What a session may ask for.
    fn on_session_request(&mut self, about: About<'_>, user: UserId, body: Body<'_>) {
        let Self { cx, connections, backlog, changes, devices, direct, groups, logins, social, .. } = self;
        if !matches!(body, Body::OneChat { .. } | Body::GroupChat { .. } | Body::Confirm { .. }) {
            // It finds in the store what was said before it.
            groups.store_batch(cx);
        }
        match body {
            Body::OneChat { to, msg, time, extras } => {
                let Some(extras) = extras_of(cx, connections, about, extras) else { return };
                let said = Said { msg, time, extras: extras.as_ref() };
                let shared = direct.on_one_chat(cx, connections, backlog, about, (to, said));
                if let Some(envelope) = shared {
                    devices.share_sent(cx, connections, backlog, about.connection, &envelope);
                }
            }
            Body::GroupChat { group, msg, time, extras } => {
                let Some(extras) = extras_of(cx, connections, about, extras) else { return };
                let said = Said { msg, time, extras: extras.as_ref() };
                groups.on_group_chat(cx, connections, backlog, about, (group, said));
            }
            Body::Confirm { mids } => {
                devices.share_confirmed(cx, connections, backlog, (about.connection, user), &mids);
                direct.on_confirm(cx, connections, backlog, about, mids);
            }
            Body::Sync { since, messages } => {
                devices.on_sync(cx, connections, about, user, (since, messages))
            }
            Body::Heads { before, heads } => devices.on_heads(cx, connections, about, user, (before, heads)),
            Body::Read { conversation, pos, private } => {
                devices.on_read(cx, connections, about, user, (conversation, pos, private));
            }
            Body::Typing { conversation, on } => self.on_typing(about, user, conversation, on),
            Body::Alter { conversation, pos, alteration } => {
                changes.on_alter(cx, connections, about, user, AlterQuery { conversation, pos, alteration });
            }
            Body::Devices => devices.on_devices(cx, connections, about, user),
            Body::DropDevice { token } => devices.on_drop_device(cx, connections, about, user, token),
            Body::PushToken { push } => {
                let device = logins.token(about.connection);
                devices.on_push_token(cx, connections, about, user, (device, push));
            }
            Body::AddFriend { friend } => social.on_add_friend(cx, connections, about, user, friend),
            Body::DelFriend { friend } => social.on_del_friend(cx, connections, about, user, friend),
            Body::FriendAsk { friend, note } => social.on_ask(cx, connections, about, user, (friend, note)),
            Body::FriendAnswer { friend, answer } => {
                social.on_answer(cx, connections, about, user, (friend, answer));
            }
            Body::Settings { change } => self.on_settings(about, user, change),
            Body::ShowFriends => social.on_show_friends(cx, connections, about, user),
            Body::Find { who } => social.on_find(cx, connections, about, user, who),
            Body::Members { group, after, members } => {
                social.on_members(cx, connections, about, user, (group, after, members));
            }
            Body::History { conversation, span, messages } => {
                let query = HistoryQuery { conversation, span, messages };
                social.on_history(cx, connections, about, user, query);
            }
            Body::Search { q, conversation, before, messages } => {
                let query = SearchQuery { q, conversation, before, messages };
                social.on_search(cx, connections, about, user, query);
            }
            Body::Block { user: blocked } => social.on_block(cx, connections, about, user, blocked),
            Body::Unblock { user: blocked } => social.on_unblock(cx, connections, about, user, blocked),
            Body::Password { old, new } => logins.on_password(cx, connections, about, user, (old, new)),
            Body::CreateGroup { name, desc } => self.on_create_group(about, user, name, desc),
            Body::AddGroup { group } => {
                let change = Change::Join { group: Some(group) };
                let row = Some(NewRow { mid: cx.next_mid(), ts: cx.wall });
                let request = StoreRequest::AddGroup { user, group, row };
                connections.request_mutation(cx, about, user, request, change);
            }
            Body::DelGroup { group } => {
                let change = Change::Leave { group };
                let row = Some(NewRow { mid: cx.next_mid(), ts: cx.wall });
                let request = StoreRequest::DelGroup { user, group, row };
                connections.request_mutation(cx, about, user, request, change);
            }
            Body::RuleGroup { group, rule } => self.on_rule_group(about, user, group, rule),
            Body::JoinRequests { group } => self.on_join_requests(about, user, group),
            Body::Logout => self.on_logout(about),
            // A PONG of v1, which knows none. The others were answered before a login was asked for.
            Body::Pong
            | Body::Ping { .. }
            | Body::Register { .. }
            | Body::Login { .. }
            | Body::JwtLogin { .. }
            | Body::Resume { .. } => {
                connections.refuse(cx, about, Code::UnknownMsgid);
            }
        }
    }

    fn on_typing(&mut self, about: About<'_>, user: UserId, conversation: Conversation, on: bool) {
        let Self { cx, connections, backlog, groups, social, .. } = self;
        let members = match conversation {
            Conversation::With(_) => Vec::new(),
            Conversation::Group(group) if !groups.is_member(about.connection, group) => {
                return connections.refuse(cx, about, Code::NotAMember);
            }
            Conversation::Group(group) => groups.members(group),
        };
        social.on_typing(cx, connections, backlog, about, (user, conversation, on), &members);
    }

    fn on_create_group(&mut self, about: About<'_>, user: UserId, name: &str, desc: &str) {
        let Self { cx, connections, .. } = self;
        let name = match name::check(name, cx.limits.name_chars) {
            Ok(name) => name,
            Err(text) => {
                let text = format!("groupname: {text}");
                return connections.refuse_with(cx, about, Code::InvalidField, &text);
            }
        };
        let request = StoreRequest::CreateGroup { user, name: name.to_owned(), desc: desc.to_owned() };
        connections.request_mutation(cx, about, user, request, Change::Join { group: None });
    }
}

/// What a message carries besides its text; `None` if that was refused. Most carry nothing.
fn extras_of(
    cx: &mut Cx,
    connections: &mut Connections,
    about: About<'_>,
    extras: Result<Option<Extras>, BadExtras>,
) -> Option<Option<Extras>> {
    if extras == Ok(None) { Some(None) } else { connections.extras(cx, about, extras) }
}
