//! Everybody comes back at once: what the store does for a resumption is to know the token, tell the
//! roster and give the first page of the backlog.

use crate::through::Through;
use crate::{HASH, USERS, cpu, group, report, user};
use chatd::chat::model::ids::MessageId;
use chatd::chat::model::token::{Proof, Secret};
use chatd::chat::port::store::{Detail, Issue, Resumed, StoreReply, StoreRequest, StoreResult};
use chatd::storage::Backend;
use chatd::storage::password_print;
use std::time::Instant;

/// All users come back within a second, in a steady stream.
pub fn storm(what: &str, backend: Backend) {
    let mut through = Through::new(backend);
    let befriend = |number: u32| {
        (1..=10).map(move |step| StoreRequest::AddFriend { user: user(number), friend: user(number + step) })
    };
    for ask in (0..USERS).flat_map(befriend) {
        through.ask(ask);
        while through.under_way > 4_096 {
            through.hear(None);
        }
    }
    through.hear_all();
    let print = password_print(HASH);
    let mut secrets: Vec<Option<Secret>> = vec![None; USERS as usize];
    for part in 0..USERS / 1_000 {
        let logs_in = |number| StoreRequest::LoadProfile {
            user: user(number),
            proof: Proof::Password(print),
            detail: Detail::Counts,
            issue: Issue::Token,
            device: None,
            heads: 0,
        };
        let first = through.ask(logs_in(part * 1_000));
        for step in 1..1_000 {
            through.ask(logs_in(part * 1_000 + step));
        }
        while through.under_way > 0 {
            let (number, answer) = through.hear(None).expect("answered");
            let Ok(StoreReply::Profile(roster)) = answer else { panic!("{answer:?}") };
            let token = roster.token.expect("one was to be issued");
            secrets[part as usize * 1_000 + number - first] = Some(token.secret);
        }
    }
    let (start, before) = (Instant::now(), cpu());
    let due = |number: u32| start + std::time::Duration::from_secs(1) * number / USERS;
    let mut of: Vec<(usize, u32)> = Vec::new();
    let begin = through.ask(StoreRequest::Friends { user: user(0) });
    of.push((begin, 0));
    let (mut next, mut served) = (0, Vec::with_capacity(USERS as usize));
    while served.len() < USERS as usize {
        while next < USERS && due(next) <= Instant::now() {
            let secret = secrets[next as usize].clone().expect("everybody has one");
            through.ask_at(due(next), StoreRequest::Resume { secret, device: None });
            of.push((begin, next));
            next += 1;
        }
        let Some((number, answer)) = through.hear((next < USERS).then(|| due(next))) else { continue };
        let who = of[number - begin].1;
        if let Some(ask) = goes_on(who, answer) {
            through.ask_at(due(who), ask);
            of.push((begin, who));
        } else if number > begin {
            served.push(through.waited[number].expect("it was heard"));
        }
    }
    report(what, USERS as usize, start.elapsed(), served, cpu() - before);
    through.close();
}

/// What is asked next for a user that comes back.
fn goes_on(who: u32, answer: StoreResult) -> Option<StoreRequest> {
    match answer.expect("done") {
        StoreReply::Resumed(Resumed { user, token, .. }) => {
            assert_eq!(user, crate::user(who));
            let proof = Proof::Token(token);
            Some(StoreRequest::LoadProfile {
                user,
                proof,
                detail: Detail::Counts,
                issue: Issue::Nothing,
                device: None,
                heads: 0,
            })
        }
        StoreReply::Profile(_) => {
            let (user, after) = (user(who), MessageId(0));
            Some(StoreRequest::FetchBacklog { user, after, have: vec![], messages: 200, bytes: 32 << 10 })
        }
        _ => None,
    }
}

/// Everybody is in two groups.
pub fn form_groups(backend: Backend) {
    let mut through = Through::new(backend);
    for number in 0..1_000 {
        let name = format!("group{number}");
        through.ask(StoreRequest::CreateGroup { user: user(number), name, desc: String::new() });
    }
    through.hear_all();
    for number in 1_000..USERS {
        for step in [0, 1] {
            through.ask(StoreRequest::AddGroup {
                user: user(number),
                group: group(number + step),
                row: None,
            });
        }
        while through.under_way > 4_096 {
            through.hear(None);
        }
    }
    through.hear_all();
    through.close();
}
