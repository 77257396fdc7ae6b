//! Random histories against a model: a few users and groups, everything at once.
//!
//! The model is what the promise says, in sets: a user must get every message that was for it and
//! that it has not acknowledged. Whatever happened, reading page by page must give exactly those.

mod standing;
mod telling;

use super::pages::ack;
use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::history::{Conversation, Span};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest, StoredMessage};
use std::collections::{BTreeMap, BTreeSet};
use telling::{Told, begin_telling};

pub const CASES: &[Case] =
    &[Case { name: "random histories lose and repeat nothing", run: random_histories }];

const SEEDS: u64 = 12;
const STEPS: usize = 400;

fn random_histories(open: &mut Opener<'_>) {
    for seed in 1..=SEEDS {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut history = History::new(open, seed);
            (0..STEPS).for_each(|_| history.step());
            history.look_who_lacks();
            history.finish();
            history.check_told();
        }));
        assert!(outcome.is_ok(), "with seed {seed}");
    }
}

struct History {
    trial: Trial,
    random: u64,
    users: [UserId; 3],
    groups: [GroupId; 2],
    /// Ids made before and not used: messages of the past that are stored late.
    late: Vec<MessageId>,
    /// Everything that was stored.
    stored: Vec<Envelope>,
    /// Per group, its messages by place, from 1 on.
    places: BTreeMap<GroupId, Vec<(MessageId, UserId)>>,
    /// Per member, its cursor.
    cursors: BTreeMap<(UserId, GroupId), u64>,
    backlog: BTreeSet<(UserId, MessageId)>,
    /// Per two users, the smaller id first, what they said, by place from 1 on.
    direct: BTreeMap<(UserId, UserId), Vec<(MessageId, UserId)>>,
    /// How far somebody has read.
    markers: BTreeMap<(UserId, Conversation), u64>,
    /// Per member, the head of its group when it joined.
    joined: BTreeMap<(UserId, GroupId), u64>,
    told: Told,
}

impl History {
    fn new(open: &mut Opener<'_>, seed: u64) -> Self {
        let mut trial = Trial::new(open);
        begin_telling(&mut trial);
        let users = trial.users(["amy", "ben", "cleo"]);
        let groups = [trial.group("one", users[0], &users[1..]), trial.group("two", users[1], &users[2..])];
        let mut cursors = BTreeMap::new();
        for (user, group) in [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1)] {
            cursors.insert((users[user], groups[group]), 0);
        }
        let joined = cursors.clone();
        Self {
            trial,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            users,
            groups,
            late: Vec::new(),
            stored: Vec::new(),
            places: BTreeMap::new(),
            cursors,
            backlog: BTreeSet::new(),
            direct: BTreeMap::new(),
            markers: BTreeMap::new(),
            joined,
            told: Told::default(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % bound as u64) as usize
    }

    fn any_user(&mut self) -> UserId {
        let index = self.below(3);
        self.users[index]
    }

    fn any_group(&mut self) -> GroupId {
        let index = self.below(2);
        self.groups[index]
    }

    fn step(&mut self) {
        let user = self.any_user();
        match self.below(24) {
            0..=4 => self.tell(user),
            5..=9 => self.post(user),
            10 => self.late.push(self.trial.mid()),
            11 => self.again(),
            12 => self.see(user),
            13 => self.come_or_go(user),
            14 => self.record(user),
            15 => self.under_another_id(),
            16 => self.look_back(user),
            17 => self.mark(user),
            18 => self.look_where_it_stands(user),
            19 => drop(self.be_told()),
            20 => self.look_who_lacks(),
            _ => self.read_a_page(user),
        }
    }

    fn mid(&mut self) -> MessageId {
        if !self.late.is_empty() && self.below(3) == 0 {
            let index = self.below(self.late.len());
            return self.late.swap_remove(index);
        }
        self.trial.mid()
    }

    fn seal(&mut self, sender: UserId, target: Target) -> Envelope {
        let (mid, long) = (self.mid(), self.below(900));
        sealed(sender, target, mid, &format!("c{}", mid.0), &body(sender, target, &"x".repeat(long), ""))
    }

    fn tell(&mut self, sender: UserId) {
        let to = self.any_user();
        let envelope = self.seal(sender, Target::User(to));
        let answer = self.trial.store(&envelope);
        let pos = Some(self.place(&envelope));
        assert_eq!(
            answer,
            Ok(StoreReply::Stored(StoredMessage { mid: envelope.mid(), ts: envelope.ts(), pos }))
        );
        self.backlog.insert((to, envelope.mid()));
        self.stored.push(envelope);
    }

    /// A new direct message takes the next place of its conversation.
    fn place(&mut self, envelope: &Envelope) -> u64 {
        let (sender, to) = (envelope.sender(), envelope.user());
        let direct = self.direct.entry((sender.min(to), sender.max(to))).or_default();
        direct.push((envelope.mid(), sender));
        direct.len() as u64
    }

    fn record(&mut self, sender: UserId) {
        let mut envelopes = Vec::new();
        for _ in 0..self.below(4) {
            let to = self.any_user();
            let envelope = self.seal(sender, Target::User(to));
            self.place(&envelope);
            envelopes.push(envelope);
        }
        assert_eq!(
            self.trial.request(StoreRequest::AppendHistory { envelopes: envelopes.clone().into() }),
            Ok(StoreReply::Done)
        );
        self.stored.extend(envelopes);
    }

    /// A message that was stored comes again under another id, and somebody acknowledges that.
    fn under_another_id(&mut self) {
        if self.stored.is_empty() {
            return;
        }
        let index = self.below(self.stored.len());
        let first = self.stored[index].clone();
        let retry =
            sealed(first.sender(), first.target(), self.trial.mid(), first.cid(), &text_of(first.body()));
        let Ok(StoreReply::Stored(StoredMessage { mid, .. })) = self.trial.store(&retry) else {
            panic!("it was stored before")
        };
        assert_eq!(mid, first.mid());
        let user = self.any_user();
        self.trial.ack(user, &[retry.mid()], vec![]);
        self.backlog.remove(&(user, mid));
    }

    /// The history, from some place on, in either direction.
    fn look_back(&mut self, user: UserId) {
        let (other, most) = (self.any_user(), 1 + self.below(12));
        let all = self.said(user, Conversation::With(other));
        let (from, back) = (self.below(all.len() + 2), self.below(2) == 0);
        let span = if back { Span::Before(from as u64 + 1) } else { Span::After(from as u64) };
        let told = self.trial.span(user, Conversation::With(other), span, most, usize::MAX);
        let from = from.min(all.len());
        let part = if back { &all[from.saturating_sub(most)..from] } else { &all[from..] };
        let part = &part[..part.len().min(most)];
        assert_eq!(told.mids(), part.iter().map(|(mid, _)| mid.0).collect::<Vec<_>>());
        let places: Vec<u64> = told.messages.iter().map(|message| message.pos).collect();
        assert!(places.windows(2).all(|pair| pair[1] == pair[0] + 1), "{places:?}");
    }

    fn post(&mut self, sender: UserId) {
        let group = self.any_group();
        let envelope = self.seal(sender, Target::Group(group));
        let answer = self.trial.store(&envelope);
        if !self.cursors.contains_key(&(sender, group)) {
            return assert!(answer.is_err());
        }
        let places = self.places.entry(group).or_default();
        places.push((envelope.mid(), sender));
        let pos = Some(places.len() as u64);
        assert_eq!(
            answer,
            Ok(StoreReply::Stored(StoredMessage { mid: envelope.mid(), ts: envelope.ts(), pos }))
        );
        self.stored.push(envelope);
    }

    /// A message that was stored is stored again.
    fn again(&mut self) {
        if self.stored.is_empty() {
            return;
        }
        let index = self.below(self.stored.len());
        let envelope = self.stored[index].clone();
        let Ok(StoreReply::Stored(StoredMessage { mid, .. })) = self.trial.store(&envelope) else {
            panic!("it was stored before")
        };
        assert_eq!(mid, envelope.mid());
        if let Target::User(to) = envelope.target() {
            self.backlog.insert((to, mid));
        }
    }

    /// Messages of a group were seen live, some of them out of turn.
    fn see(&mut self, user: UserId) {
        let group = self.any_group();
        let places = self.places.get(&group).cloned().unwrap_or_default();
        let upto = self.below(places.len() + 1).min(self.below(places.len() + 1)) as u64;
        let beyond: Vec<MessageId> = (0..self.below(4).min(places.len()))
            .map(|_| {
                let index = self.below(places.len());
                places[index].0
            })
            .collect();
        self.trial.ack_group(user, group, upto, &beyond);
        if let Some(cursor) = self.cursors.get_mut(&(user, group)) {
            *cursor = upto.max(*cursor);
            while let Some((mid, sender)) = places.get(*cursor as usize) {
                if *sender != user && !beyond.contains(mid) {
                    break;
                }
                *cursor += 1;
            }
        }
    }

    fn come_or_go(&mut self, user: UserId) {
        let group = self.any_group();
        let creator = user == self.users[0] && group == self.groups[0]
            || user == self.users[1] && group == self.groups[1];
        if creator {
            return;
        }
        if self.cursors.remove(&(user, group)).is_some() {
            assert!(self.trial.request(StoreRequest::DelGroup { user, group, row: None }).is_ok());
            self.markers.remove(&(user, Conversation::Group(group)));
        } else {
            let head = self.trial.join(user, group);
            assert_eq!(head, self.places.get(&group).map_or(0, Vec::len) as u64);
            self.cursors.insert((user, group), head);
            self.joined.insert((user, group), head);
        }
    }

    /// What the user has still to get; `None` for a place where it is a backlog entry.
    fn missing(&self, user: UserId) -> BTreeMap<MessageId, Option<u64>> {
        let mut missing = BTreeMap::new();
        for ((member, group), cursor) in &self.cursors {
            let places = self.places.get(group).map_or(&[][..], Vec::as_slice);
            for (place, (mid, sender)) in places.iter().enumerate().skip(*cursor as usize) {
                if *member == user && *sender != user {
                    missing.insert(*mid, Some(place as u64 + 1));
                }
            }
        }
        missing.extend(self.backlog.iter().filter(|(whose, _)| *whose == user).map(|(_, mid)| (*mid, None)));
        missing
    }

    fn read_a_page(&mut self, user: UserId) {
        let (messages, bytes) = (1 + self.below(12), 1 + self.below(6_000));
        let missing = self.missing(user);
        let page = self.trial.page(user, &[], messages, bytes);
        assert!(page.messages.len() <= messages);
        assert!(page.messages.is_sorted_by_key(|waiting| waiting.envelope.mid()));
        for (mid, pos) in page.places() {
            assert_eq!(missing.get(&MessageId(mid)), Some(&pos), "only what is missing is given");
        }
        assert_eq!(page.complete, page.messages.len() == missing.len());
        for (group, head) in &page.heads {
            self.check_head(user, *group, *head, &page.mids());
        }
        if self.below(4) > 0 {
            ack(&mut self.trial, user, &page);
            for mid in page.mids() {
                self.backlog.remove(&(user, MessageId(mid)));
            }
            for (group, head) in page.heads {
                self.cursors.insert((user, group), head);
            }
        }
    }

    /// Up to `head` all is given or the user's own or behind its cursor; what follows is missing.
    fn check_head(&self, user: UserId, group: GroupId, head: u64, given: &[u64]) {
        let places = self.places.get(&group).map_or(&[][..], Vec::as_slice);
        let had = |place: &(MessageId, UserId)| place.1 == user || given.contains(&place.0.0);
        let cursor = self.cursors[&(user, group)];
        assert!(head >= cursor && head <= places.len() as u64);
        assert!(places[cursor as usize..head as usize].iter().all(had));
        assert!(places.get(head as usize).is_none_or(|place| !had(place)), "as far as it goes");
    }

    /// Everybody reads all, once.
    fn finish(&mut self) {
        for user in self.users {
            let missing = self.missing(user);
            let mut given = BTreeSet::new();
            loop {
                let page = self.trial.page(user, &[], 10, 5_000);
                for mid in page.mids() {
                    assert!(given.insert(MessageId(mid)), "nothing twice");
                }
                ack(&mut self.trial, user, &page);
                if page.complete {
                    break;
                }
            }
            assert_eq!(given, missing.keys().copied().collect());
            assert_eq!(self.trial.fetch(user).mids(), [0_u64; 0]);
        }
    }
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).expect("it was made of text")
}
