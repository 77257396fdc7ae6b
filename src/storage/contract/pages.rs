//! Pages of a backlog.

use super::trial::{Page, Trial};
use super::{Case, Opener};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{CursorUpdate, StoreReply, StoreRequest};
use std::collections::HashMap;

pub const CASES: &[Case] = &[
    Case { name: "a page is bounded by messages", run: a_page_is_bounded_by_messages },
    Case { name: "a page is bounded by bytes, and gives one", run: a_page_is_bounded_by_bytes },
    Case { name: "pages come by id across groups", run: pages_come_by_id_across_groups },
    Case { name: "pages end though no cursor is moved", run: pages_end_with_have },
    Case { name: "two hundred groups fit", run: two_hundred_groups_fit },
];

fn a_page_is_bounded_by_messages(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let mut mids = Vec::new();
    for number in 0..100 {
        let mid = if number % 3 == 0 { trial.tell(amy, ben, "x") } else { trial.post(amy, group, "x").0 };
        mids.push(mid.0);
    }
    for most in [1, 2, 64, 65, 99] {
        let page = trial.page(ben, &[], most, usize::MAX);
        assert_eq!((page.mids(), page.complete), (mids[..most].to_vec(), false), "{most} at most");
    }
    for most in [100, 101, usize::MAX] {
        let page = trial.page(ben, &[], most, usize::MAX);
        assert_eq!((page.mids(), page.complete), (mids.clone(), true), "{most} at most");
    }
    let page = trial.page(ben, &[], 0, 0);
    assert_eq!((page.mids(), page.complete), (mids[..1].to_vec(), false), "one is always given");
}

fn a_page_is_bounded_by_bytes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    for _ in 0..4 {
        trial.tell(amy, ben, &"龙".repeat(1_000));
        trial.post(amy, group, &"x".repeat(3_000));
    }
    let all = trial.fetch(ben);
    let sizes: Vec<usize> = all.messages.iter().map(|waiting| waiting.envelope.body().len()).collect();
    assert_eq!(sizes.len(), 8);
    for fit in 1..=8 {
        let bytes = sizes[..fit].iter().sum();
        let page = trial.page(ben, &[], usize::MAX, bytes);
        assert_eq!((page.mids(), page.complete), (all.mids()[..fit].to_vec(), fit == 8), "{fit} fit");
        let page = trial.page(ben, &[], usize::MAX, bytes - 1);
        assert_eq!(page.messages.len(), (fit - 1).max(1), "a byte less");
    }
}

fn pages_come_by_id_across_groups(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let groups = ["a", "b", "c"].map(|name| trial.group(name, amy, &[ben]));
    let mut mids = Vec::new();
    for number in 0..60 {
        let group = groups[(number * number + number / 7) % 3];
        let sender = if number % 5 == 0 { ben } else { amy };
        let (mid, _) = trial.post(sender, group, "x");
        if sender == amy {
            mids.push(mid.0);
        }
    }
    let mut given = Vec::new();
    loop {
        let page = trial.page(ben, &[], 7, usize::MAX);
        given.extend(page.mids());
        ack(&mut trial, ben, &page);
        if page.complete {
            break;
        }
        assert_eq!(page.messages.len(), 7, "a page is full unless it is the last");
    }
    assert_eq!(given, mids);
    let heads: u64 = groups.iter().filter_map(|group| trial.fetch(ben).head(*group)).sum();
    assert_eq!(heads, 60);
}

/// The user has all of a page.
pub fn ack(trial: &mut Trial, user: UserId, page: &Page) {
    let entries = |waiting: &&chatd_chat::port::store::BacklogMessage| waiting.pos.is_none();
    let mids: Vec<MessageId> = page.messages.iter().filter(entries).map(|one| one.envelope.mid()).collect();
    let cursors = |&(group, upto)| CursorUpdate { group, upto, beyond: vec![] };
    trial.ack(user, &mids, page.heads.iter().map(cursors).collect());
}

fn pages_end_with_have(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(if number % 2 == 0 { trial.tell(amy, ben, "x") } else { trial.post(amy, group, "x").0 });
    }
    let mut have: HashMap<GroupId, u64> = HashMap::new();
    let mut given = Vec::new();
    loop {
        let known: Vec<(GroupId, u64)> = have.iter().map(|(group, upto)| (*group, *upto)).collect();
        let page = trial.page(ben, &known, 8, usize::MAX);
        given.extend(page.mids().into_iter().map(MessageId));
        let entries: Vec<MessageId> = page.mids().into_iter().map(MessageId).collect();
        trial.ack(ben, &entries, vec![]);
        have.extend(page.heads);
        if page.complete {
            break;
        }
    }
    assert_eq!(given, sent);
    assert_eq!(trial.fetch(ben).messages.len(), 25, "the store's own cursor has not moved");
}

fn two_hundred_groups_fit(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let groups: Vec<GroupId> =
        (0..200).map(|number| trial.group(&format!("g{number}"), amy, &[ben])).collect();
    let stores = |trial: &mut Trial| -> Vec<StoreRequest> {
        groups
            .iter()
            .map(|group| {
                let target = chatd_chat::model::envelope::Target::Group(*group);
                StoreRequest::StoreMessage { envelope: trial.message(amy, target, "", "x") }
            })
            .collect()
    };
    for _ in 0..3 {
        let requests = stores(&mut trial);
        assert!(trial.requests(requests).iter().all(|answer| matches!(answer, Ok(StoreReply::Stored(_)))));
    }
    let all = trial.fetch(ben).mids();
    assert_eq!(all.len(), 600);
    assert!(all.is_sorted());
    let page = trial.page(ben, &[], 250, usize::MAX);
    assert_eq!(page.mids(), all[..250]);
    let heads: u64 = page.heads.iter().map(|(_, head)| head).sum();
    assert_eq!((page.heads.len(), heads), (200, 250));
    ack(&mut trial, ben, &page);
    assert_eq!(trial.fetch(ben).mids(), all[250..]);
}
