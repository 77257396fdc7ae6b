//! Changes that are told later: a session that gets its backlog may be sent the message that was changed after the change,
//! and as it was before. So it hears of the change when nothing waits any more.

use super::Changes;
use super::tell::is_told;
use crate::connection::Connections;
use crate::model::envelope::ChangeNotice;
use crate::model::ids::ConnectionId;
use crate::port::cx::Cx;
use crate::wire::changed;

/// What one session is told later.
#[derive(Debug, Default)]
pub(super) struct Held {
    notices: Vec<ChangeNotice>,
    /// Whether some are forgotten, because there were too many.
    missed: bool,
}

impl Changes {
    /// Keeps a change for a session, if it does not wait for `most` already.
    pub(super) fn hold(&mut self, id: ConnectionId, most: usize, notice: ChangeNotice) {
        if self.held.get(id).is_none() {
            self.held.insert(id, Held::default());
        }
        let Some(held) = self.held.get_mut(id) else { return };
        if held.notices.len() < most {
            held.notices.push(notice);
        } else {
            held.missed = true;
        }
    }

    /// Nothing waits for a session any more: it is told what was changed meanwhile. Whether there was too much of it.
    pub(crate) fn release(&mut self, cx: &mut Cx, connections: &mut Connections, id: ConnectionId) -> bool {
        cx.enter();
        let Some(Held { notices, missed }) = self.held.remove(id) else { return false };
        for notice in notices {
            if connections.get(id).is_some_and(|connection| is_told(connection, &notice.changed)) {
                connections.reply(cx, id, changed::push(notice.conversation, &notice.changed));
            }
        }
        missed
    }

    /// A connection is nobody any more.
    pub(crate) fn forget(&mut self, id: ConnectionId) {
        self.held.remove(id);
    }
}
