//! What one turn does of what is done for all sessions now and then.

use super::Hub;
use crate::connection::Identity;
use crate::model::envelope::{Envelope, Kind, Notice, Whereabouts};
use crate::model::ids::{
    ConnectionId, CoreId, GroupId, MessageClock, MessageId, Millis, Monotonic, Now, SessionEpoch, UserId,
};
use crate::model::limits::Limits;
use crate::model::source::Source;
use crate::port::effect::Effect;
use crate::port::event::{Channel, Event};
use crate::port::store::{StoreReply, StoreRequest};
use crate::wire::request::Dialect;
use std::time::{Duration, Instant};

const GROUPS: u64 = 20;
const TICK_MS: u64 = 50;
/// Sessions that fetch in one turn at most: each has its groups to look at.
const FETCHED: usize = 4_096 / (1 + GROUPS as usize) + 1;

/// So many sessions of v2, each a member of 20 groups, each group with 20 members, and each with 20 friends.
fn crowd(sessions: u32) -> Hub {
    crowd_watched(sessions, |_, _| {})
}

/// The same; `watch` is told how long each of them took to come.
fn crowd_watched(sessions: u32, mut watch: impl FnMut(usize, Duration)) -> Hub {
    let mut hub = Hub::new(CoreId(1), Limits::default());
    for index in 0..sessions {
        // Tests alone take note of who enters which room. That this grows is no server's time.
        hub.cx.entered.clear();
        let begun = Instant::now();
        let id = ConnectionId { index, generation: 0 };
        let (user, epoch) = (UserId::new(u64::from(index) + 1).expect("a user"), SessionEpoch(1));
        let Hub { cx, connections, backlog, groups, social, .. } = &mut hub;
        connections.opened(cx, id, Source::Proxy);
        let connection = connections.get_mut(id).expect("it was opened");
        connection.begin_login(Identity { user, name: "ann".into(), epoch });
        connection.finish_login();
        connection.note_claimed();
        connection.dialect = Dialect::V2;
        connections.hold(user, id);
        backlog.begin_login(id, user, epoch);
        groups.begin_login(id);
        for nth in 0..GROUPS {
            let group = numbered((u64::from(index) * 7 + nth * 131) % u64::from(sessions) + 1);
            groups.subscribe(cx, id, group, 0);
        }
        // Friends are on other cores.
        let friend = |nth: u64| {
            UserId::new(u64::from(sessions) + (u64::from(index) * 7 + nth * 131) % u64::from(sessions) + 1)
        };
        let friends: Vec<UserId> = (0..GROUPS).filter_map(friend).collect();
        social.begin_session(id, epoch, Some(friends), Default::default());
        watch(index as usize, begun.elapsed());
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
        hub.cx.entered.clear();
        let begun = cpu_time();
        hub.handle(now, Event::Tick { utc_offset_s: 0 }, &mut effects);
        walked.took.push(cpu_time() - begun);
        let places = written(hub, now, effects);
        walked.most = walked.most.max(places);
        walked.all += places;
    }
    walked.took.sort_unstable();
    walked
}

/// The same, and everybody has their backlog.
fn live_crowd(sessions: u32) -> Hub {
    let mut hub = crowd(sessions);
    (0..sessions).for_each(|index| hub.backlog.make_live(ConnectionId { index, generation: 0 }));
    hub
}

/// What the effects of one turn are, as far as they are of all sessions.
#[derive(Default)]
struct Turn {
    reclaims: Vec<UserId>,
    notices: Vec<UserId>,
    looked_for: Vec<UserId>,
    fetched: Vec<UserId>,
    hidden: Vec<UserId>,
    effects: usize,
}

impl Turn {
    fn of(effects: &[Effect]) -> Self {
        let mut turn = Self { effects: effects.len(), ..Self::default() };
        for effect in effects {
            match effect {
                Effect::Publish { envelope, .. } if envelope.kind() == Kind::Reclaim => {
                    turn.reclaims.push(envelope.user());
                }
                Effect::Publish { envelope, channel: Channel::Cores, .. } => {
                    turn.notices.extend(envelope.notices().map(|notice| notice.user));
                }
                Effect::QueryPresence { users, .. } => turn.looked_for.extend(users),
                Effect::Store { request: StoreRequest::FetchBacklog { user, .. }, .. } => {
                    turn.fetched.push(*user)
                }
                Effect::Store { request: StoreRequest::Hidden { user }, .. } => turn.hidden.push(*user),
                _ => {}
            }
        }
        turn
    }

    fn add(&mut self, mut other: Turn) {
        self.reclaims.append(&mut other.reclaims);
        self.notices.append(&mut other.notices);
        self.looked_for.append(&mut other.looked_for);
        self.fetched.append(&mut other.fetched);
        self.hidden.append(&mut other.hidden);
    }
}

fn ids(mut users: Vec<UserId>) -> Vec<u64> {
    users.sort_unstable();
    users.into_iter().map(|user| u64::from(user.get())).collect()
}

/// Ten seconds of a hub to which this happens. Whoever is looked for is found.
fn after(hub: &mut Hub, from_ms: u64, event: Event<'_>, mut each: impl FnMut(&Turn)) -> Turn {
    let (mut all, mut event) = (Turn::default(), Some(event));
    for tick in 0..200 {
        let now = Now { monotonic: Monotonic(from_ms + tick * TICK_MS), wall: Millis(1_700_000_000_000) };
        let mut effects = Vec::new();
        hub.handle(now, event.take().unwrap_or(Event::Tick { utc_offset_s: 0 }), &mut effects);
        let turn = Turn::of(&effects);
        each(&turn);
        for effect in effects {
            let answer = match effect {
                Effect::QueryPresence { id, users } => {
                    Event::PresenceResult { id, online: Ok(vec![true; users.len()]) }
                }
                Effect::Publish { id: Some(id), .. } => Event::Published { id, receivers: Ok(2) },
                Effect::Store { id, request: StoreRequest::Hidden { .. } } => {
                    Event::Answered { id, result: Ok(StoreReply::Hidden(Vec::new())) }
                }
                _ => continue,
            };
            let mut more = Vec::new();
            hub.handle(now, answer, &mut more);
            all.add(Turn::of(&more));
        }
        all.add(turn);
    }
    all
}

/// Claims, notices, looks and fetches of all sessions after the bus was lost: each is made, and no turn makes many.
#[test]
fn after_a_lost_bus_each_session_is_settled_once_and_a_part_of_them_a_turn() {
    const MOST: usize = 1_024;
    let sessions = 3_000;
    let mut hub = live_crowd(sessions);
    let core = CoreId(1);
    let all = after(&mut hub, 10_000, Event::Rejoined { core }, |turn| {
        for part in [&turn.reclaims, &turn.fetched] {
            assert!(part.len() <= FETCHED, "{} in one turn", part.len());
        }
        for part in [&turn.notices, &turn.looked_for, &turn.hidden] {
            assert!(part.len() <= MOST, "{} in one turn", part.len());
        }
        assert!(turn.effects <= 4 * MOST, "{} effects in one turn", turn.effects);
    });
    let everybody: Vec<u64> = (1..=u64::from(sessions)).collect();
    assert_eq!(ids(all.reclaims), everybody);
    assert_eq!(ids(all.notices), everybody);
    assert_eq!(ids(all.fetched), everybody, "once: what is being fetched is not fetched again");
    assert_eq!(ids(all.hidden), everybody);
    let friends: Vec<u64> = (u64::from(sessions) + 1..=2 * u64::from(sessions)).collect();
    let mut looked_for = ids(all.looked_for);
    looked_for.dedup();
    assert_eq!(looked_for, friends);
}

/// Whom a core held that is gone is looked for; nobody else, and not all at once.
#[test]
fn after_a_core_is_gone_its_users_are_looked_for_a_part_of_them_a_turn() {
    let sessions = 5_000;
    let mut hub = live_crowd(sessions);
    let friends = u64::from(sessions) + 1..=2 * u64::from(sessions);
    for (core, parity) in [(CoreId(2), 0), (CoreId(3), 1)] {
        let mut clock = MessageClock::new(core);
        let of_core = friends.clone().filter(|user| user % 2 == parity);
        let notice = |user| Notice {
            user: UserId::new(user).expect("a user"),
            epoch: 9,
            whereabouts: Whereabouts::Here,
        };
        let notices: Vec<Notice> = of_core.map(notice).collect();
        for notices in notices.chunks(1_000) {
            let envelope = Envelope::presence(clock.next(Millis(1_700_000_000_000)), notices);
            let now = Now { monotonic: Monotonic(9_000), wall: Millis(1_700_000_000_000) };
            hub.handle(now, Event::Arrived { channel: Channel::Cores, envelope }, &mut Vec::new());
        }
    }
    let all = after(&mut hub, 10_000, Event::CoreGone { core: CoreId(2) }, |turn| {
        assert!(turn.looked_for.len() <= 1_024, "{} in one turn", turn.looked_for.len());
        assert!(turn.fetched.len() <= FETCHED, "{} in one turn", turn.fetched.len());
    });
    // Those that are found are looked for again, until that is sure.
    let mut looked_for = ids(all.looked_for);
    looked_for.dedup();
    assert_eq!(looked_for, friends.filter(|user| user % 2 == 0).collect::<Vec<u64>>());
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
    // What grows does it when somebody comes. Of each the shortest of several times counts.
    let mut came = vec![Duration::MAX; 20_000];
    for _ in 0..3 {
        crowd_watched(20_000, |index, took| came[index] = took.min(came[index]));
    }
    let mut longest: Vec<(usize, Duration)> = came.iter().copied().enumerate().collect();
    longest.sort_unstable_by_key(|&(_, took)| std::cmp::Reverse(took));
    println!("logins that took longest: {:?}", &longest[..8]);
    let mut hub = crowd(20_000);
    for pos in 1..=4 {
        say_in_all(&mut hub, 20_000, pos);
        let Walked { most, all, took } = walk(&mut hub, pos * 10_000);
        println!("{}: {most} cursors at most in a turn, {all} in all", told(&took));
    }
    let Walked { took, .. } = walk(&mut hub, 60_000);
    println!("nothing moved: {}", told(&took));
    for core_gone in [true, false] {
        // Of each turn the shortest of several times counts.
        let mut took = vec![Duration::MAX; 200];
        for _ in 0..3 {
            let mut hub = live_crowd(20_000);
            let event = match core_gone {
                true => Event::CoreGone { core: CoreId(2) },
                false => Event::Rejoined { core: CoreId(1) },
            };
            let mut event = Some(event);
            for (tick, took) in took.iter_mut().enumerate() {
                let monotonic = Monotonic(70_000 + tick as u64 * TICK_MS);
                let now = Now { monotonic, wall: Millis(1_700_000_000_000) };
                let mut effects = Vec::with_capacity(8_192);
                hub.cx.entered.clear();
                let begun = cpu_time();
                hub.handle(now, event.take().unwrap_or(Event::Tick { utc_offset_s: 0 }), &mut effects);
                *took = (cpu_time() - begun).min(*took);
            }
        }
        let longest = took.iter().enumerate().max_by_key(|(_, took)| **took);
        println!("core gone: {core_gone}; longest: {longest:?}");
        took.sort_unstable();
        println!("{}", told(&took));
    }
}

/// CPU time of this thread, whatever else runs on the machine: the kernel counts it up when a thread gives way.
fn cpu_time() -> Duration {
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel tells");
    Duration::from_nanos(told.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds"))
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
