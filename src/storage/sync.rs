//! What is the same in the SYNC of every store: how much of it fits into a page.

use chatd_chat::model::change::Changed;
use chatd_chat::model::history::{Placed, SyncFrom, SyncPage, SyncedConversation};

/// What stands around the text of a change, in the place of a frame around a body.
const CHANGE_BYTES: usize = 64;

/// Where a conversation stands, as it was before anything of it was read.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub head: u64,
    /// Nothing up to this place is the user's to see.
    pub joined: u64,
    pub chg: u64,
    pub peer_read: Option<u64>,
}

/// What was read of what a device lacks of a conversation.
#[derive(Debug)]
pub struct Lacking {
    /// Lowest place first.
    pub messages: Vec<Placed>,
    /// In their order.
    pub changes: Vec<Changed>,
    /// Whether there is no more.
    pub is_all: bool,
}

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

    /// Adds the next conversation: as much of what the device lacks as fits. Returns whether there is room for more.
    pub fn add(&mut self, from: SyncFrom, standing: Standing, lacking: Lacking) -> bool {
        let Lacking { mut messages, mut changes, is_all } = lacking;
        let lacks = messages.len() + changes.len();
        let fit = self.fitting(&messages, Placed::bytes);
        let is_cut = fit < messages.len();
        messages.truncate(fit);
        let fit = if is_cut { 0 } else { self.fitting(&changes, |changed| changed.bytes() + CHANGE_BYTES) };
        let is_cut = is_cut || fit < changes.len();
        changes.truncate(fit);
        if lacks > 0 && messages.is_empty() && changes.is_empty() {
            // Not even one has room: it is for the next page.
            return false;
        }
        // Of what was stored since it was looked where the conversation stands, some may be among them.
        let head = messages.last().map_or(standing.head, |last| standing.head.max(last.pos));
        let chg = changes.last().map_or(standing.chg, |last| standing.chg.max(last.chg));
        self.page.conversations.push(SyncedConversation {
            conversation: from.conversation,
            messages,
            changes,
            head,
            chg,
            peer_read: standing.peer_read,
            complete: is_all && !is_cut,
        });
        self.page.dealt_with += 1;
        !is_cut
    }

    /// How many of these fit, from the first on.
    fn fitting<T>(&mut self, all: &[T], bytes: impl Fn(&T) -> usize) -> usize {
        let fits = |one: &&T| {
            let bytes = bytes(one);
            let fits = bytes <= self.left || self.is_empty;
            if fits {
                self.left = self.left.saturating_sub(bytes);
                self.is_empty = false;
            }
            fits
        };
        all.iter().take_while(fits).count()
    }

    /// The page.
    pub fn page(self) -> SyncPage {
        self.page
    }
}
