//! What is the same in the SYNC of every store: how much of it fits into a page.

use chatd_chat::model::history::{Placed, SyncFrom, SyncPage, SyncedConversation};

/// A page in the making.
pub struct Filling {
    page: SyncPage,
    left: usize,
    is_empty: bool,
}

impl Filling {
    /// Nothing in it yet, and room for so many bytes of bodies. One message is always given.
    pub fn new(bytes: usize) -> Self {
        Self { page: SyncPage::default(), left: bytes, is_empty: true }
    }

    /// Bytes that are left: whoever reads for the page may stop when they are used up, but not before the first message.
    pub fn bytes_left(&self) -> usize {
        self.left
    }

    /// The user has no part in the next conversation.
    pub fn skip(&mut self) {
        self.page.dealt_with += 1;
    }

    /// Adds the next conversation, of which `wanted` messages were to be read and these were, lowest place first.
    /// Returns whether there is room for more.
    pub fn add(
        &mut self,
        from: SyncFrom,
        (head, peer_read): (u64, Option<u64>),
        mut messages: Vec<Placed>,
        wanted: usize,
    ) -> bool {
        let mut fit = 0;
        for message in &messages {
            let bytes = message.envelope.body().len();
            if bytes > self.left && !self.is_empty {
                break;
            }
            self.left = self.left.saturating_sub(bytes);
            self.is_empty = false;
            fit += 1;
        }
        messages.truncate(fit);
        if fit == 0 && wanted > 0 {
            // Not even one has room: it is for the next page.
            return false;
        }
        // Of what was stored since it was looked where the conversation stands, some may be among them.
        let head = messages.last().map_or(head, |last| head.max(last.pos));
        // Where nothing was to be read there is nothing: a place may be from before the user joined.
        let complete = messages.last().is_none_or(|last| last.pos >= head);
        let conversation = from.conversation;
        self.page.conversations.push(SyncedConversation {
            conversation,
            messages,
            head,
            peer_read,
            complete,
        });
        self.page.dealt_with += 1;
        fit == wanted
    }

    /// The page.
    pub fn page(self) -> SyncPage {
        self.page
    }
}
