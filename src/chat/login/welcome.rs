//! Welcome: the login answer: friends, groups, and as much of what waits as there is room for.

use super::{Logins, Welcome};
use crate::backlog::Backlog;
use crate::connection::{Connections, Pause};
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::wire::lists::{self, ByteBudget};
use crate::wire::request::Dialect;
use crate::wire::welcome::{self, Welcome as WelcomeFrame};

/// How large a login answer a client that reads one frame at a time can read.
const SMALL_FRAME_BYTES: usize = 1_000;

impl Logins {
    /// The login answer, with as much of the first page as there is room for. `is_online` is what sessions of v2 are
    /// told of their friends.
    pub(crate) fn welcome(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        id: ConnectionId,
        is_online: &dyn Fn(UserId) -> bool,
    ) {
        cx.enter();
        let Some(welcome) = self.welcomes.remove(id) else { return };
        match connections.get(id).map(|connection| connection.dialect) {
            Some(Dialect::V1) => welcome_v1(cx, connections, backlog, id, &welcome),
            Some(Dialect::V2) => welcome_v2(cx, connections, backlog, id, &welcome, is_online),
            None => {}
        }
        connections.resume(cx, id, Pause::AwaitingReply);
    }
}

fn welcome_v1(
    cx: &mut Cx,
    connections: &mut Connections,
    backlog: &mut Backlog,
    id: ConnectionId,
    welcome: &Welcome,
) {
    let (login_bytes, push_bytes) = (cx.limits.login_bytes, cx.limits.push_bytes);
    let Some(connection) = connections.get(id) else { return };
    let Some(identity) = connection.identity() else { return };
    let one_frame_a_read = connection.reads_single_frames();
    let frame_bytes = if one_frame_a_read { SMALL_FRAME_BYTES } else { login_bytes };
    let budget = ByteBudget { lists_bytes: login_bytes - SMALL_FRAME_BYTES, frame_bytes };
    let presence = |user| welcome.online.contains(&user);
    let page = backlog.first_page(id);
    let answer = lists::logged_in(identity.user, &identity.name, &welcome.profile, &presence, page, budget);
    let end = connection.end_after(answer.bytes.len());
    backlog.welcome(connections, id, answer.messages, end);
    connections.reply(cx, id, answer.bytes);
    if answer.friends < welcome.profile.friends.len() {
        let friends = lists::friend_list(&welcome.profile.friends, &presence, push_bytes);
        connections.reply(cx, id, friends);
    }
}

fn welcome_v2(
    cx: &mut Cx,
    connections: &mut Connections,
    backlog: &mut Backlog,
    id: ConnectionId,
    welcome: &Welcome,
    is_online: &dyn Fn(UserId) -> bool,
) {
    let login_bytes = cx.limits.login_bytes;
    let Some(connection) = connections.get_mut(id) else { return };
    let cid = connection.login_cid.take();
    let Some(identity) = connection.identity() else { return };
    let frame = WelcomeFrame {
        cid: cid.as_deref(),
        user: identity.user,
        name: &identity.name,
        token: welcome.profile.token.as_ref().map(|token| &token.secret),
        roster: &welcome.profile,
        heads: connection.multi.then_some(&welcome.profile.heads),
        capabilities: connection.capabilities,
    };
    let mut answer = welcome::logged_in(frame, &is_online, backlog.first_page(id), login_bytes);
    let last = answer.frames.pop().unwrap_or_default();
    for frame in answer.frames {
        connections.reply(cx, id, frame);
    }
    let Some(connection) = connections.get(id) else { return };
    let end = connection.end_after(last.len());
    backlog.welcome(connections, id, answer.messages, end);
    connections.reply(cx, id, last);
}
