//! The order in which passwords are looked at, without a thread.

use super::*;
use chatd_chat::model::ids::{RequestId, UserId};

const ATTACKER: Source = Source::V4(0x7f00_0009);
const OTHER: Source = Source::V4(0x7f00_0002);

fn limits() -> Limits {
    Limits { password_queue: 1_000, registration_queue: 100, password_share: 128, ..Limits::default() }
}

fn job(number: u32, from: Source, task: Task) -> Job {
    Job { requester: Requester { core: 0, id: RequestId { index: number, generation: 0 } }, from, task }
}

/// A login as the user of this number.
fn login(number: u32, from: Source, user: u64) -> Job {
    let who = Who::Id(UserId::new(user).expect("an id"));
    job(number, from, Task::Verify { who, account: None, password: Password(String::new()) })
}

fn registration(number: u32, from: Source) -> Job {
    job(number, from, Task::Hash { name: String::new(), password: Password(String::new()) })
}

fn numbers(refused: &[Refused]) -> Vec<u32> {
    refused.iter().map(|(requester, _)| requester.id.index).collect()
}

/// Takes the next one out, and says that its password was wrong.
fn look(line: &mut Line) -> Option<(u32, Vec<Refused>)> {
    let (key, job) = line.next()?;
    let refused = key.map_or_else(Vec::new, |key| line.judge(key, job.from, Some(Verdict::Wrong), 0));
    Some((job.requester.id.index, refused))
}

#[test]
fn whoever_comes_after_hundreds_from_another_place_is_next_but_one() {
    let mut line = Line::new(&limits());
    let mut refused = 0;
    for number in 0..300 {
        refused += line.offer(login(number, ATTACKER, 100 + u64::from(number)), 0).len();
    }
    assert_eq!(refused, 300 - 128, "one place has its share");
    assert!(line.offer(login(1_000, OTHER, 1), 0).is_empty());
    let first: Vec<u32> = (0..2).filter_map(|_| look(&mut line)).map(|(number, _)| number).collect();
    assert_eq!(first, [0, 1_000]);
    // Behind a proxy, by account.
    for number in 0..100 {
        assert!(
            line.offer(login(2_000 + number, Source::Proxy, u64::from(5_000 + number / 10)), 0).is_empty()
        );
    }
    assert!(line.offer(login(3_000, Source::Proxy, 2), 0).is_empty());
    let ahead = std::iter::from_fn(|| look(&mut line)).position(|(number, _)| number == 3_000);
    // And of four logins one of those of whom a wrong password is known.
    assert!(ahead.is_some_and(|ahead| ahead <= 12 + 12 / 3), "one of each account and place: {ahead:?}");
}

#[test]
fn registrations_and_logins_do_not_starve_each_other() {
    let mut line = Line::new(&limits());
    for number in 0..100 {
        assert!(line.offer(registration(number, Source::Proxy), 0).is_empty());
        assert!(line.offer(login(1_000 + number, OTHER, 1_000 + u64::from(number)), 0).is_empty());
    }
    let refused = line.offer(registration(200, Source::Proxy), 0);
    assert_eq!(refused.iter().map(|(_, code)| *code).collect::<Vec<_>>(), [Code::Busy]);
    let refused = line.offer(registration(201, OTHER), 0);
    assert_eq!((numbers(&refused), refused[0].1), (vec![99], Code::TooFast), "the longest line gives way");
    let order: Vec<u32> = std::iter::from_fn(|| look(&mut line)).map(|(number, _)| number).collect();
    assert_eq!(order.len(), 200);
    assert_eq!(order[..40].iter().filter(|number| **number < 1_000).count(), 10);
    assert_eq!(line.waiting(), 0);
}

#[test]
fn one_address_registers_so_many_and_a_proxy_as_many_as_it_likes() {
    let limits = Limits { address_registrations: 5, address_registration_ms: 1_000, ..limits() };
    let mut line = Line::new(&limits);
    let mut registered = |from, now| {
        let registered = (0..20).filter(|_| line.offer(registration(0, from), now).is_empty()).count();
        while look(&mut line).is_some() {}
        registered
    };
    assert_eq!((registered(ATTACKER, 0), registered(OTHER, 0), registered(Source::Proxy, 0)), (5, 5, 20));
    assert_eq!((registered(ATTACKER, 999), registered(ATTACKER, 2_000)), (0, 2));
}

#[test]
fn one_account_is_tried_so_often_from_wherever_and_the_owner_gets_in() {
    let mut line = Line::new(&Limits { account_guesses: 20, account_guess_ms: 1_000, ..limits() });
    for number in 0..300 {
        // Whatever is more than the allowance waits for what becomes of it, if there is room.
        line.offer(login(number, Source::V6(u64::from(number)), 7), 0);
    }
    let (mut tried, mut refused) = (0, 0);
    while let Some((_, turned_away)) = look(&mut line) {
        (tried, refused) = (tried + 1, refused + turned_away.len());
    }
    assert_eq!((tried, refused, line.waiting()), (20, 128, 0));
    assert_eq!(line.offer(login(400, OTHER, 7), 0)[0].1, Code::TooFast);
    // Who guesses there on and on leaves half of what it fills up by.
    for now in (1_000..60_000).step_by(100) {
        line.offer(login(500, Source::V6(1), 7), now);
        line.offer(login(501, Source::V6(2), 7), now);
        while look(&mut line).is_some() {}
    }
    assert!(line.offer(login(600, OTHER, 7), 60_000).is_empty(), "the owner, at a new place");
    let (key, job) = line.next().expect("it waits");
    line.judge(key.expect("a login"), job.from, Some(Verdict::Right), 60_000);
    assert_eq!(line.waiting(), 0);
}

#[test]
fn of_many_right_logins_at_once_all_are_looked_at() {
    let mut line = Line::new(&Limits { account_guesses: 5, ..limits() });
    for number in 0..100 {
        assert!(line.offer(login(number, Source::Proxy, 7), 0).is_empty());
    }
    assert_eq!(line.waiting(), 100);
    let mut right = 0;
    while let Some((key, job)) = line.next() {
        assert!(line.judge(key.expect("a login"), job.from, Some(Verdict::Right), 0).is_empty());
        right += 1;
    }
    assert_eq!((right, line.waiting()), (100, 0));
}

#[test]
fn what_is_pushed_out_gives_its_try_back_and_the_end_answers_all() {
    let mut line = Line::new(&Limits { password_queue: 4, account_guesses: 4, ..limits() });
    for number in 0..4 {
        assert!(line.offer(login(number, ATTACKER, 7), 0).is_empty());
    }
    assert!(line.offer(login(4, ATTACKER, 7), 0).is_empty(), "it waits for what becomes of the others");
    let refused = line.offer(login(5, OTHER, 8), 0);
    assert_eq!(numbers(&refused), [3]);
    let mut left = numbers(&line.stop());
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 4, 5]);
    assert_eq!((line.waiting(), line.offer(login(6, OTHER, 9), 0)[0].1), (0, Code::Busy));
}

/// Fifty places guess; whoever has not guessed wrong does not wait for a turn of each of them.
#[test]
fn who_has_its_password_does_not_wait_behind_all_who_guess() {
    let mut line = Line::new(&limits());
    let mut number = 0;
    for place in 0..50 {
        for _ in 0..4 {
            assert!(
                line.offer(login(number, Source::V4(0x0a00_0000 + place), 100 + u64::from(number)), 0)
                    .is_empty()
            );
            number += 1;
        }
    }
    // Each of them has had one turn, and some a second one.
    for _ in 0..70 {
        assert!(look(&mut line).is_some_and(|(_, refused)| refused.is_empty()));
    }
    for attempt in 0..10 {
        assert!(line.offer(login(1_000 + attempt, OTHER, 2_000 + u64::from(attempt)), 0).is_empty());
        let ahead =
            std::iter::from_fn(|| line.next()).position(|(_, job)| job.requester.id.index == 1_000 + attempt);
        assert!(ahead.is_some_and(|ahead| ahead <= 1), "attempt {attempt} waited behind {ahead:?}");
    }
    // And those who guess are not starved while others come all the time.
    let mut guessed = 0;
    for account in 3_000..3_040 {
        assert!(line.offer(login(2_000, OTHER, account), 0).is_empty());
        guessed += usize::from(line.next().is_some_and(|(_, job)| job.requester.id.index < 1_000));
    }
    assert_eq!(guessed, 10, "one of four turns");
}
