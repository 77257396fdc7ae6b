//! What one turn does of what is done for all sessions now and then.

use super::Hub;
use crate::connection::Identity;
use crate::model::ids::{
    ConnectionId, CoreId, GroupId, MessageId, Millis, Monotonic, Now, SessionEpoch, UserId,
};
use crate::model::limits::Limits;
use crate::model::source::Source;
use crate::port::effect::Effect;
use crate::port::event::Event;
use crate::port::store::{StoreReply, StoreRequest};
use std::time::{Duration, Instant};

const GROUPS: u64 = 20;
const TICK_MS: u64 = 50;

/// So many sessions, each a member of 20 groups, each group with 20 members.
fn crowd(sessions: u32) -> Hub {
    let mut hub = Hub::new(CoreId(1), Limits::default());
    for index in 0..sessions {
        let id = ConnectionId { index, generation: 0 };
        let (user, epoch) = (UserId::new(u64::from(index) + 1).expect("a user"), SessionEpoch(1));
        let Hub { cx, connections, backlog, groups, .. } = &mut hub;
        connections.opened(cx, id, Source::Proxy);
        let connection = connections.get_mut(id).expect("it was opened");
        connection.begin_login(Identity { user, name: "ann".into(), epoch });
        connection.finish_login();
        connections.hold(user, id);
        backlog.begin_login(id, user, epoch);
        groups.begin_login(id);
        for nth in 0..GROUPS {
            let group = numbered((u64::from(index) * 7 + nth * 131) % u64::from(sessions) + 1);
            groups.subscribe(cx, id, group, 0);
        }
    }
    hub
}

fn numbered(group: u64) -> GroupId {
    GroupId::new(group).expect("a group")
}

/// Something is stored in each group, which all members were pushed.
fn say_in_all(hub: &mut Hub, groups: u64, pos: u64) {
    for group in 1..=groups {
        hub.note_place(numbered(group), MessageId(pos * groups + group), pos);
    }
}

/// The places that this turn's effects have the store write down; the store says yes.
fn written(hub: &mut Hub, now: Now, effects: Vec<Effect>) -> usize {
    let mut places = 0;
    for effect in effects {
        if let Effect::Store { id, request: StoreRequest::AckDelivered { cursors, .. } } = effect {
            places += cursors.len();
            let result = Ok(StoreReply::Done);
            hub.handle(now, Event::Answered { id, result }, &mut Vec::new());
        }
    }
    places
}

struct Walked {
    /// The most places that one tick had written, and how many all ticks together.
    most: usize,
    all: usize,
    /// How long each tick took, the shortest first.
    took: Vec<Duration>,
}

/// Five seconds and a half of ticks.
fn walk(hub: &mut Hub, from_ms: u64) -> Walked {
    let mut walked = Walked { most: 0, all: 0, took: Vec::new() };
    for tick in 0..110 {
        let now = Now { monotonic: Monotonic(from_ms + tick * TICK_MS), wall: Millis(1_700_000_000_000) };
        let mut effects = Vec::new();
        let begun = Instant::now();
        hub.handle(now, Event::Tick { utc_offset_s: 0 }, &mut effects);
        walked.took.push(begun.elapsed());
        let places = written(hub, now, effects);
        walked.most = walked.most.max(places);
        walked.all += places;
    }
    walked.took.sort_unstable();
    walked
}

#[test]
fn cursors_are_written_a_part_a_tick_and_all_of_them_within_the_period() {
    let sessions = 2_000;
    let mut hub = crowd(sessions);
    say_in_all(&mut hub, u64::from(sessions), 1);
    let Walked { most, all, .. } = walk(&mut hub, 10_000);
    let bound = hub.cx.limits.walk_cursors + GROUPS as usize;
    assert!(most <= bound, "{most} places in one turn, bound {bound}");
    assert!(all > 3 * bound, "the test is to be larger than a tick: {all}");
    let memberships = hub.groups_of_all();
    assert_eq!(all, memberships, "every cursor once");
    assert_eq!(walk(&mut hub, 20_000).all, 0, "nothing has moved since");
    say_in_all(&mut hub, 3, 2);
    let moved: usize = (1..=3).map(|group| hub.groups.members(numbered(group)).len()).sum();
    assert_eq!(walk(&mut hub, 30_000).all, moved, "who has moved, and nobody else");
}

/// `cargo test --release -p chatd-chat -- --ignored --nocapture longest_turn`
#[test]
#[ignore = "it measures: for a quiet machine, with optimisation"]
fn the_longest_turn_of_20_000_sessions_in_20_groups_each() {
    let mut hub = crowd(20_000);
    for pos in 1..=4 {
        say_in_all(&mut hub, 20_000, pos);
        let Walked { most, all, took } = walk(&mut hub, pos * 10_000);
        println!("{}: {most} cursors at most in a turn, {all} in all", told(&took));
    }
    let Walked { took, .. } = walk(&mut hub, 60_000);
    println!("nothing moved: {}", told(&took));
    let begun = Instant::now();
    hub.fetch_all();
    println!("everybody is to fetch: {:?}", begun.elapsed());
}

fn told(took: &[Duration]) -> String {
    let of = |part: usize| took[(took.len() - 1) * part / 100];
    format!("a turn takes {:?}, 95 of 100 at most {:?}, the longest {:?}", of(50), of(95), of(100))
}

impl Hub {
    fn groups_of_all(&self) -> usize {
        let groups = 1..=self.connections.slots() as u64;
        groups.map(|group| self.groups.members(numbered(group)).len()).sum()
    }
}
