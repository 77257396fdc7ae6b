//! Places: a push goes out before its message is stored, and so without its place. Sessions that name any capability are
//! told it afterwards, a few at a time.

use super::Devices;
use crate::connection::Connections;
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, MessageId};
use crate::port::cx::Cx;
use crate::port::in_flight::{DevicesFlow, UnplacedPush};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::sync;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// How often the store is asked where it has a message, once each `stored_notice_ms`. Then the session is not told.
const TRIES: u8 = 50;

impl Devices {
    /// It is time to ask where messages are stored that sessions were pushed.
    pub(crate) fn begin_places(&mut self, cx: &Cx, connections: &mut Connections) {
        for push in connections.take_unplaced() {
            if self.unplaced.len() < cx.limits.unplaced {
                self.unplaced.push_back(push);
            }
        }
        self.to_find = self.unplaced.len();
    }

    /// Asks for some, for the others with the next ticks.
    pub(crate) fn find_places(&mut self, cx: &mut Cx) {
        cx.enter();
        let now = self.to_find.min(cx.limits.places_find);
        if now == 0 {
            return;
        }
        self.to_find -= now;
        let pushes: Vec<UnplacedPush> = self.unplaced.drain(..now).collect();
        let mut mids: Vec<MessageId> = pushes.iter().map(|push| push.mid).collect();
        mids.sort_unstable();
        mids.dedup();
        cx.request(StoreRequest::FindPlaces { mids }, DevicesFlow::Places { pushes });
    }

    /// STORED to each session for each conversation. What is not stored yet is asked for again.
    pub(crate) fn on_places(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        pushes: Vec<UnplacedPush>,
        places: Result<Vec<(MessageId, u64)>, Code>,
    ) {
        cx.enter();
        let places: FxHashMap<MessageId, u64> = places.unwrap_or_default().into_iter().collect();
        let mut told: BTreeMap<(ConnectionId, Conversation), Vec<(MessageId, u64)>> = BTreeMap::new();
        let is_there = |push: &UnplacedPush| {
            let session = connections.get(push.connection);
            session.is_some_and(|session| session.logged_in_user() == Some(push.user))
        };
        for push in pushes.into_iter().filter(is_there) {
            match places.get(&push.mid) {
                Some(&pos) => {
                    told.entry((push.connection, push.conversation)).or_default().push((push.mid, pos));
                }
                None if push.tries < TRIES => {
                    self.unplaced.push_back(UnplacedPush { tries: push.tries + 1, ..push });
                }
                None => {}
            }
        }
        for ((id, conversation), places) in told {
            connections.reply(cx, id, sync::stored(conversation, &places));
        }
    }
}
