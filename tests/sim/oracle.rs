//! What must be true, whatever happened: what the oracle knows. It looks at the cluster from outside,
//! at what clients say and get, at the store and at the bus, and at the hubs only for how much they
//! hold. What it asks for is in `received`, `rest`, `promises` and `ending`; what a file is about alone stands in that one.
//! An assertion begins with the letter of what it asks for:
//!
//! - (a) what was promised came to its reader in the end;
//! - (b) at rest nothing waits for who is online;
//! - (c) a user is online once, and a token takes the place of its own session;
//! - (d) what one sender says to one target arrives in the order said;
//! - (e) what is acknowledged is stored, or confirmed where that is enough, under one id;
//! - (f) nothing comes twice in one session without a reason;
//! - (g) at rest hubs and bus hold nothing;
//! - (h) whoever is online and asked for an answer has one;
//! - (i) at rest cores have joined the channels of those who are there and no others, and lists say who is online;
//! - (j) nothing of a blocked sender arrives;
//! - (k) a history is whole, in order and what was asked for;
//! - (l) friends were told who is online;
//! - (m) friendships and settings (`consenting`);
//! - (n) what was not confirmed comes again in a later session;
//! - (o) an id is the id of one text, and greater than what its writer had seen (`clocks`);
//! - (p) what an application sends is one message, stored before anybody hears it (`applied`);
//! - (q) who was shut out is not there (`applied`).

use super::clocks::Ids;
use super::plan::{Phase, Plan};
use chatd::chat::model::envelope::{Envelope, Kind, Target};
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use chatd::chat::port::store::StoreRequest;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Something that somebody says, known by its number wherever it turns up.
#[derive(Clone, Debug)]
pub struct Text {
    pub number: u64,
    pub target: Target,
    pub wants_ack: bool,
    pub filler: String,
}

/// A text that was handed to a hub by a logged-in session.
pub struct Said {
    /// In which stay; of what an application says, in none.
    pub stay: Option<usize>,
    /// Numbers what is said.
    pub order: u64,
    pub at_us: u64,
    /// Handed over more than once.
    pub repeated: bool,
    /// Its sender was told 110, or could have been.
    pub busy: bool,
    /// More than one core heard it: one held the user, the other wanted to.
    pub heard_twice: bool,
    /// Said while the bus could lose it: without a cid it is promised to nobody.
    pub may_be_lost: bool,
}

pub struct Written {
    pub sender: UserId,
    pub text: Text,
    pub said: Option<Said>,
    /// It is said through the API: it is one message, however often it is said.
    pub of_application: bool,
}

/// The time of one user on one connection, from its login on.
pub struct Stay {
    pub user: UserId,
    pub conn: usize,
    pub begun_us: u64,
    pub online_us: Option<u64>,
    pub ended_us: Option<u64>,
    /// Whether it had got all that waited for it when it ended, and had acknowledged it.
    pub clean: bool,
    pub got: Vec<u64>,
    /// The same by id, where the dialect tells it, and what of it is not confirmed.
    pub mids: HashSet<MessageId>,
    pub unconfirmed: HashMap<MessageId, u64>,
}

/// How often things happened, so that one can tell what was tried.
#[derive(Default, Clone, Debug)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

pub struct Oracle {
    pub texts: Vec<Written>,
    pub stays: Vec<Stay>,
    /// For each connection: the login that is under way or succeeded last, and those that succeeded.
    pub current: HashMap<usize, usize>,
    pub succeeded: HashMap<usize, Vec<usize>>,
    /// How many login answers the client of a connection has got.
    pub read: HashMap<usize, usize>,
    pub received: HashSet<(UserId, u64)>,
    /// What readers said that they have.
    pub confirmed: HashSet<(UserId, MessageId)>,
    /// The same by the number of what was said.
    pub confirmed_texts: HashSet<(UserId, u64)>,
    /// What was said, by the ids that readers were told.
    pub told: HashMap<MessageId, u64>,
    /// What was answered with 110.
    pub told_busy: HashSet<u64>,
    /// What was acknowledged, and under which id.
    pub acked: HashMap<u64, MessageId>,
    /// What was answered with an error that is not 110.
    pub refused: HashSet<u64>,
    /// The token that the session on a connection was told last.
    pub tokens: HashMap<usize, String>,
    /// Direct messages that did not reach a core because it was cut off.
    pub lost_in_transit: HashSet<MessageId>,
    /// When a message was stored.
    pub kept_us: HashMap<MessageId, u64>,
    /// Connections that were cut for what is wrong with them.
    pub cut: HashSet<usize>,
    /// Since when a user has been a member, as the store says at rests and requests.
    pub member_since: HashMap<(UserId, GroupId), u64>,
    /// What was told of ids.
    pub ids: Ids,
    pub faulty: bool,
    /// Nobody does anything but show friends.
    pub resting: bool,
    pub tally: Tally,
}

/// The numbers of the texts in a frame, in order.
pub fn numbers(frame: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(frame);
    text.split('~')
        .skip(1)
        .step_by(2)
        .map(|number| number.parse().expect("a number between tildes"))
        .collect()
}

impl Oracle {
    pub fn new(plan: &Plan) -> Self {
        Self {
            texts: Vec::new(),
            stays: Vec::new(),
            current: HashMap::new(),
            succeeded: HashMap::new(),
            read: HashMap::new(),
            received: HashSet::new(),
            confirmed: HashSet::new(),
            confirmed_texts: HashSet::new(),
            told: HashMap::new(),
            told_busy: HashSet::new(),
            acked: HashMap::new(),
            refused: HashSet::new(),
            tokens: HashMap::new(),
            lost_in_transit: HashSet::new(),
            kept_us: HashMap::new(),
            cut: HashSet::new(),
            member_since: HashMap::new(),
            ids: Ids::default(),
            faulty: plan.phases.iter().any(|&phase| phase == Phase::BusyStore || Plan::loses(phase)),
            resting: false,
            tally: Tally::default(),
        }
    }

    pub fn compose(&mut self, sender: UserId, target: Target, wants_ack: bool, filler: String) -> Text {
        let text = Text { number: self.texts.len() as u64, target, wants_ack, filler };
        self.texts.push(Written { sender, text: text.clone(), said: None, of_application: false });
        text
    }

    /// An application is to say something in somebody's name.
    pub fn compose_for(&mut self, sender: UserId, target: Target, filler: String) -> Text {
        let text = self.compose(sender, target, true, filler);
        self.texts[text.number as usize].of_application = true;
        text
    }

    /// Who says what, by its number.
    pub fn text(&self, number: u64) -> Option<(UserId, Text)> {
        self.texts.get(number as usize).map(|written| (written.sender, written.text.clone()))
    }

    pub fn texts_written(&self) -> u64 {
        self.texts.len() as u64
    }

    /// Whether a direct text has ever come to its reader.
    pub fn was_received(&self, number: u64) -> bool {
        match self.texts[number as usize].text.target {
            Target::User(to) => self.received.contains(&(to, number)),
            Target::Group(_) => false,
        }
    }

    /// Whether the session on this connection was sent a message, and has not confirmed it.
    pub fn is_unconfirmed(&self, conn: usize, mid: MessageId) -> bool {
        let stay = self.online(conn).map(|stay| &self.stays[stay]);
        stay.is_some_and(|stay| stay.unconfirmed.contains_key(&mid))
    }

    /// Who the client of this connection takes itself for.
    pub fn reader(&self, conn: usize) -> Option<UserId> {
        let logins = self.read.get(&conn)?;
        Some(self.stays[self.succeeded[&conn][logins - 1]].user)
    }

    /// Whether it has not confirmed something that was said in a group.
    pub fn is_unconfirmed_in(&self, conn: usize, group: GroupId) -> bool {
        let of_group = |&number: &u64| self.texts[number as usize].text.target == Target::Group(group);
        self.online(conn).is_some_and(|stay| self.stays[stay].unconfirmed.values().any(of_group))
    }

    pub fn online_conns(&self) -> impl Iterator<Item = (UserId, usize)> + '_ {
        self.online_stays().map(|stay| (stay.user, stay.conn))
    }

    /// The store is too busy for this.
    pub fn busy(&mut self, ask: &StoreRequest) {
        if let StoreRequest::StoreMessage { envelope } = ask {
            let number = numbers(envelope.body())[0];
            if let Some(said) = &mut self.texts[number as usize].said {
                said.busy = true;
            }
        }
    }

    /// So many cores hear this.
    pub fn heard(&mut self, envelope: &Envelope, times: usize) {
        if envelope.kind() == Kind::Direct && times > 1 {
            let number = numbers(envelope.body())[0];
            self.texts[number as usize].said.as_mut().expect("it was said").heard_twice = true;
            self.tally.count("heard by two");
        }
    }

    pub fn online(&self, conn: usize) -> Option<usize> {
        let &stay = self.current.get(&conn)?;
        let found = &self.stays[stay];
        (found.online_us.is_some() && found.ended_us.is_none()).then_some(stay)
    }

    pub fn online_stays(&self) -> impl Iterator<Item = &Stay> {
        self.stays.iter().filter(|stay| stay.online_us.is_some() && stay.ended_us.is_none())
    }
}
