//! The directory: lists of people, and of one: FIND, MEMBERS, SHOW_FRIENDS. The store knows who they are, the bus
//! knows who of them is online.

use super::Social;
use super::history::bounded_page;
use crate::backlog::Backlog;
use crate::connection::{About, Connections, Pause};
use crate::model::ids::{ConnectionId, GroupId, UserId};
use crate::model::profile::Who;
use crate::port::cx::Cx;
use crate::port::event::BusDown;
use crate::port::in_flight::{DirectoryQuery, DirectoryReply, List, QueryFlow, SocialFlow};
use crate::port::store::{MembersPage, StoreReply, StoreRequest, StoreResult};
use crate::wire::code::Code;
use crate::wire::found;
use crate::wire::reply::{self, Outcome};
use crate::wire::request::{Dialect, Named};
use crate::wire::{lists, msgid, welcome};

impl Social {
    /// SHOW_FRIENDS.
    pub(crate) fn on_show_friends(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
    ) {
        cx.enter();
        request(cx, connections, about, None, StoreRequest::Friends { user });
    }

    /// FIND.
    pub(crate) fn on_find(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        who: Named<'_>,
    ) {
        cx.enter();
        let who = match who {
            Named::Id(id) => Who::Id(id),
            Named::Name(name) => Who::Name(name.to_owned()),
        };
        request(cx, connections, about, None, StoreRequest::Find { user, who });
    }

    /// MEMBERS.
    pub(crate) fn on_members(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (group, after, members): (GroupId, Option<UserId>, Option<u64>),
    ) {
        cx.enter();
        let members = bounded_page(cx, members);
        let members = StoreRequest::Members { user, group, after, members };
        request(cx, connections, about, Some(group), members);
    }

    /// Who they are is known, or not: who of them is online is found out.
    pub(crate) fn on_directory_reply(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        query: DirectoryQuery,
        result: StoreResult,
    ) {
        cx.enter();
        let DirectoryQuery { connection, re, group, cid } = query;
        match result.and_then(|reply| list(reply, group)) {
            Ok(list) => {
                let users = list.ids();
                let reply = DirectoryReply { connection, cid, list, begun: self.begin_query() };
                cx.query_presence(users, QueryFlow::Directory(Box::new(reply)));
            }
            Err(code) => {
                if (re, code) == (msgid::FIND, Code::NoSuchUser) {
                    connections.reply(cx, connection, found::nobody(cid.as_deref()));
                } else {
                    connections.refuse(cx, About { connection, re, cid: cid.as_deref() }, code);
                }
                connections.resume(cx, connection, Pause::AwaitingReply);
            }
        }
    }

    /// Who of them is online is known, or not.
    pub(crate) fn on_directory_presence(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        reply: DirectoryReply,
        online: Result<Vec<bool>, BusDown>,
    ) {
        cx.enter();
        let DirectoryReply { connection, cid, mut list, begun } = reply;
        let (re, cid) = (list.re(), cid.as_deref());
        match online {
            Ok(online) => {
                let ids = list.ids();
                // What a session remembers of its friends may be newer than the list.
                list.set_hiding(|user| self.friend_hides(connection, user));
                list.end_mutes(cx.wall);
                self.apply_probe(cx, connections, backlog, &ids, begun, &online);
                self.show(cx, connections, connection, cid, &list, (&ids, &online));
            }
            Err(BusDown) => connections.refuse(cx, About { connection, re, cid }, Code::Busy),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }

    fn show(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        cid: Option<&str>,
        list: &List,
        (ids, online): (&[UserId], &[bool]),
    ) {
        let dialect = connections.get(id).map_or(Dialect::V1, |connection| connection.dialect);
        // Who is told of changes sees what it was told, this query among it: what a query alone has shown may have
        // been a login that comes to nothing, and no change would follow it.
        let told = |user| self.state_of(user).filter(|_| dialect == Dialect::V2);
        let is_online = |user| {
            let at = ids.iter().position(|&id| id == user);
            told(user).unwrap_or_else(|| at.is_some_and(|at| online.get(at) == Some(&true)))
        };
        let bytes = cx.limits.push_bytes;
        let frames = match list {
            List::Found(person) => vec![found::user(cid, person, &is_online)],
            &List::Members { group, ref members, complete } => {
                let roles = found::Roles::to(connections.get(id).map(|c| c.capabilities).unwrap_or_default());
                let frame = found::MembersFrame { cid, group, members, complete, roles };
                vec![found::members(frame, &is_online, bytes)]
            }
            List::Friends(people) => match dialect {
                Dialect::V2 => welcome::friend_list(people, &is_online, bytes),
                Dialect::V1 => vec![lists::friend_list(people, &is_online, bytes)],
            },
        };
        for frame in frames {
            connections.reply(cx, id, frame);
        }
        if let (List::Friends(_), Some(cid)) = (list, cid) {
            connections.reply(cx, id, reply::ack(cid, msgid::SHOW_FRIENDS, Outcome::default()));
        }
    }
}

/// Requests people of the store. Later requests of the connection wait for the reply.
fn request(
    cx: &mut Cx,
    connections: &mut Connections,
    about: About<'_>,
    group: Option<GroupId>,
    request: StoreRequest,
) {
    if cx.lookups_are_full() {
        return connections.refuse(cx, about, Code::Busy);
    }
    connections.pause(cx, about.connection, Pause::AwaitingReply);
    let About { connection, re, cid } = about;
    let query = DirectoryQuery { connection, re, group, cid: cid.map(Into::into) };
    cx.look_up(request, SocialFlow::Directory(Box::new(query)));
}

/// The list that a reply of the store is. A reply of another kind is none: the store is broken.
fn list(reply: StoreReply, group: Option<GroupId>) -> Result<List, Code> {
    if let StoreReply::Found(person) = reply {
        Ok(List::Found(person))
    } else if let StoreReply::Friends(people) = reply {
        Ok(List::Friends(people))
    } else if let (StoreReply::Members(MembersPage { members, complete }), Some(group)) = (reply, group) {
        Ok(List::Members { group, members, complete })
    } else {
        Err(Code::Busy)
    }
}
