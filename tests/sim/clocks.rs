//! The wall clocks of servers, and the ids of messages that come of them. A server that starts again may
//! find its clock behind its last run. All the same an id names one message for ever, and whatever is
//! said after its writer had seen a message has a greater one.

use super::oracle::numbers;
use super::world::World;
use crate::trace;
use chatd::chat::model::ids::{CoreId, MessageId, Millis, Monotonic, Now, UserId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const START_MS: u64 = 1_700_000_000_000;
/// What a server that starts again knows of ids lies so long after what is stored.
const UNSTORED_MS: u64 = 60_000;

/// The clocks of all servers, and who goes by which number.
pub struct Clocks {
    /// Milliseconds by which the clock of a server was set back.
    back_ms: Vec<u64>,
    /// Numbers of cores that the bus knows to be dead.
    free: BTreeSet<CoreId>,
}

/// What was told of ids of messages.
#[derive(Default)]
pub struct Ids {
    /// The text that an id is the id of.
    names: HashMap<MessageId, u64>,
    /// The greatest id that a user has seen at a core and that this core knows, in this run or before it.
    seen: BTreeMap<(UserId, usize), MessageId>,
    /// What the writer of a text had seen at its core when it first said it.
    before: HashMap<u64, MessageId>,
}

impl Clocks {
    pub fn new(servers: usize) -> Self {
        Self { back_ms: vec![0; servers], free: BTreeSet::new() }
    }

    /// Nobody goes by this number any more.
    pub fn release(&mut self, core: CoreId) {
        self.free.insert(core);
    }
}

impl World {
    pub fn now(&self, core: usize) -> Now {
        let (server, ran_ms) = (self.plan.server_of(core), self.now_us / 1_000);
        let wall = START_MS + self.plan.skew_ms[server] + ran_ms - self.clocks.back_ms[server];
        Now { monotonic: Monotonic(ran_ms), wall: Millis(wall) }
    }

    /// The clock of a server that is about to start again may be wrong: into what has been already, so that
    /// each moment comes a second time, or by minutes.
    pub fn set_back(&mut self, server: usize) {
        if !self.rng.chance(600) {
            return;
        }
        let ran_ms = self.now_us / 1_000;
        let by_ms = if self.rng.chance(700) {
            self.rng.between(1, ran_ms + 1)
        } else {
            self.rng.between(60_000, 600_000)
        };
        trace!(self, "the clock of server {server} is set back by {by_ms} ms");
        self.oracle.tally.count("clocks set back");
        self.clocks.back_ms[server] += by_ms;
    }

    /// The number of a core that starts in the place of another: the same, if nobody else can go by it.
    pub fn number_again(&mut self, core: usize) -> CoreId {
        let before = self.health[core].id;
        if self.rng.chance(700) && self.clocks.free.remove(&before) { before } else { self.new_id() }
    }

    /// A core starts after what is stored: it knows that, and what was made within a minute after it.
    pub fn knows_what_is_stored(&mut self, core: usize) {
        let stored = self.store.greatest_mid();
        let known = if stored.0 > 0 { stored.later(UNSTORED_MS) } else { stored };
        let mut knows = BTreeMap::<UserId, MessageId>::new();
        for (&(user, at), &mid) in &self.oracle.ids.seen {
            if mid <= if at == core { known } else { stored } {
                let most = knows.entry(user).or_insert(mid);
                *most = mid.max(*most);
            }
        }
        self.oracle.ids.seen.retain(|&(_, at), _| at != core);
        self.oracle.ids.seen.extend(knows.into_iter().map(|(user, mid)| ((user, core), mid)));
    }

    /// A text is about to be said.
    pub fn note_before(&mut self, conn: usize, number: u64) {
        let at = (UserId::new(self.people[conn].user as u64).unwrap(), self.conns[conn].core);
        let seen = self.oracle.ids.seen.get(&at).copied().unwrap_or(MessageId(0));
        self.oracle.ids.before.entry(number).or_insert(seen);
    }

    /// A user sees a text, perhaps without its id.
    pub fn sees(&mut self, conn: usize, number: u64, mid: Option<MessageId>) {
        if let Some(mid) = mid {
            self.names(number, mid);
        }
        let Some(user) = self.oracle.reader(conn) else { return };
        let Some(mid) = mid.or_else(|| self.only_id(number)) else { return };
        let at = (user, self.conns[conn].core);
        let most = self.oracle.ids.seen.entry(at).or_insert(mid);
        *most = mid.max(*most);
    }

    /// The id of a stored text that was said once.
    fn only_id(&self, number: u64) -> Option<MessageId> {
        let written = &self.oracle.texts[number as usize];
        let once = written.said.as_ref().is_some_and(|said| !said.repeated);
        once.then(|| self.store.cids.get(&(written.sender, format!("c{number}"))).copied())?
    }

    /// Somebody is told that this is the id of that text.
    fn names(&mut self, number: u64, mid: MessageId) {
        let before = *self.oracle.ids.names.entry(mid).or_insert(number);
        assert!(before == number, "(o) {mid:?} is the id of text {before} and of text {number}");
        let said = self.oracle.texts[number as usize].said.as_ref();
        if said.is_some_and(|said| said.repeated) {
            return;
        }
        let seen = self.oracle.ids.before.get(&number).copied().unwrap_or(MessageId(0));
        assert!(mid > seen, "(o) text {number} is {mid:?}, and was said after its writer had seen {seen:?}");
        if seen.0 > 0 {
            self.oracle.tally.count("said after something was seen");
        }
    }

    /// What is stored under this id, by its number.
    pub fn stored_under(&self, mid: MessageId) -> Option<u64> {
        self.store.messages.get(&mid).and_then(|(envelope, _)| numbers(envelope.body()).first().copied())
    }
}
