//! What a v2 client hears of messages that were changed: the last lines of `tests/golden/v2_replies.txt`.

use super::replies_v2::{CID, MID, TS, direct, group, user, written};
use chatd::chat::model::change::{Changed, Done, Reaction, RowState};
use chatd::chat::model::history::{Conversation, Placed, Span, SyncedConversation};
use chatd::chat::wire::found::{self, HistoryFrame};
use chatd::chat::wire::reply::{self, Outcome};
use chatd::chat::wire::{changed, push, sync};

fn done(what: Done) -> Changed {
    Changed { chg: 7, pos: 8, mid: MID, by: user(26), ts: TS, rev: 2, what }
}

pub fn changes() -> [(&'static str, Vec<u8>); 11] {
    let (with, in_group) = (Conversation::With(user(26)), Conversation::Group(group()));
    let emoji = || "\u{1f642}\"".into();
    let edited = done(Done::Edited { msg: "h\"o".into() });
    let reacted = done(Done::Reacted { emoji: emoji(), on: true, n: 3 });
    let reaction = |emoji, n, mine| Reaction { emoji, n, mine };
    let reactions = vec![reaction("+1".into(), 1, false), reaction(emoji(), 3, true)];
    let placed = |state| Placed { envelope: direct(), pos: 8, state };
    let recalled = RowState::Recalled { by: user(26), ts: TS };
    let rows = [
        placed(RowState::Changed { rev: 2, reactions: reactions.clone() }),
        placed(RowState::Changed { rev: 0, reactions }),
        placed(RowState::Changed { rev: 1, reactions: Vec::new() }),
        placed(recalled),
    ];
    for row in &rows {
        assert_eq!(push::row_len(row), written(|out| push::row(out, row)).len());
    }
    let row = |row: &Placed| written(|out| push::row(out, row));
    let (cid, span) = (Some(CID), Span::Newest);
    let page = HistoryFrame { cid, conversation: with, span, messages: &[], chg: Some(7), complete: true };
    let synced = SyncedConversation {
        conversation: with,
        messages: vec![rows[3].clone()],
        changes: vec![edited.clone(), reacted.clone(), done(Done::Recalled)],
        head: 9,
        chg: 9,
        peer_read: None,
        complete: true,
    };
    let synced = |room| sync::synced(None, std::slice::from_ref(&synced), true, room).bytes;
    [
        ("ack of a change", reply::ack(CID, 43, Outcome { chg: Some(7), ..Outcome::default() })),
        ("edited", changed::push(with, &edited)),
        ("reacted", changed::push(in_group, &reacted)),
        ("recalled", changed::push(with, &done(Done::Recalled))),
        ("row of an edited message with reactions", row(&rows[0])),
        ("row of a message with reactions", row(&rows[1])),
        ("row of an edited message", row(&rows[2])),
        ("row of a recalled message", row(&rows[3])),
        ("history that was changed", found::history(page, 65_536)),
        ("synced changes", synced(65_536)),
        ("synced changes that do not fit", synced(1_500)),
    ]
}
