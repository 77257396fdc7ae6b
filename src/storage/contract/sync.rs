//! What a device lacks, and where messages are.

use super::accounts::stranger;
use super::trial::{Trial, sealed};
use super::{Case, Opener};
use chatd_chat::model::change::Wanted;
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, SyncFrom, SyncPage, SyncedConversation};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest};

pub const CASES: &[Case] = &[
    Case { name: "a device gets what it lacks, by place", run: a_device_gets_what_it_lacks },
    Case { name: "a page of what a device lacks is bounded", run: a_page_is_bounded },
    Case { name: "a device asks on until it has all", run: a_device_asks_on },
    Case { name: "a device gets nothing of what its user has no part in", run: nothing_without_a_part },
    Case { name: "two hundred conversations have nothing new", run: two_hundred_have_nothing_new },
    Case { name: "messages are found by their ids", run: messages_are_found },
];

fn from(conversation: Conversation, after: u64) -> SyncFrom {
    SyncFrom { conversation, after, chg: None }
}

pub fn sync(trial: &mut Trial, user: UserId, since: &[SyncFrom], messages: usize, bytes: usize) -> SyncPage {
    let wanted = Wanted { changes: false, events: true };
    match trial.request(StoreRequest::Sync { user, since: since.to_vec(), wanted, messages, bytes }) {
        Ok(StoreReply::Synced(page)) => page,
        other => panic!("it is always told, not {other:?}"),
    }
}

fn mids(synced: &SyncedConversation) -> Vec<(u64, u64)> {
    synced.messages.iter().map(|message| (message.pos, message.envelope.mid().0)).collect()
}

fn a_device_gets_what_it_lacks(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben]);
    let (mut direct, mut of_group, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..6 {
        let (sender, to) = if number % 3 == 0 { (ben, amy) } else { (amy, ben) };
        direct.push(trial.tell(sender, to, "x").0);
        of_group.push(trial.post(sender, tea, "x").0.0);
        notes.push(trial.tell(amy, amy, "x").0);
        trial.tell(cleo, ben, "x");
    }
    // Stored late, it has a late place.
    let late = sealed(ben, Target::User(amy), MessageId(8), "late", "{}");
    assert!(trial.store(&late).is_ok());
    direct.push(8);
    let ways = [
        (Conversation::With(ben), &direct, Some(0)),
        (Conversation::Group(tea), &of_group, None),
        (Conversation::With(amy), &notes, Some(0)),
    ];
    for after in [0, 1, 5, 6, 7, 8, u64::MAX] {
        let since = ways.map(|(conversation, ..)| from(conversation, after));
        let page = sync(&mut trial, amy, &since, 100, usize::MAX);
        assert_eq!(page.dealt_with, 3);
        for (synced, (conversation, all, peer_read)) in page.conversations.iter().zip(ways) {
            assert_eq!((synced.conversation, synced.peer_read), (conversation, peer_read));
            let placed: Vec<(u64, u64)> = (1..).zip(all.iter().copied()).collect();
            let lacks: Vec<(u64, u64)> = placed.into_iter().filter(|(pos, _)| *pos > after).collect();
            assert_eq!(mids(synced), lacks, "{conversation:?} after {after}");
            assert_eq!((synced.head, synced.complete), (all.len() as u64, true));
        }
    }
    let page = sync(&mut trial, amy, &[from(Conversation::With(ben), 6)], 9, 999);
    assert_eq!(page.conversations[0].messages[0].envelope.body(), late.body(), "as a history gives it");
    assert_eq!(sync(&mut trial, amy, &[], 9, 999), SyncPage::default());
    // The same conversation twice is told twice.
    let twice = [from(Conversation::Group(tea), 4), from(Conversation::Group(tea), 5)];
    let page = sync(&mut trial, amy, &twice, 9, usize::MAX);
    let told: Vec<usize> = page.conversations.iter().map(|synced| synced.messages.len()).collect();
    assert_eq!((told, page.dealt_with), (vec![2, 1], 2));
}

fn a_page_is_bounded(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let tea = trial.group("tea", amy, &[ben]);
    for _ in 0..4 {
        trial.tell(amy, ben, &"x".repeat(1_000));
        trial.post(amy, tea, &"x".repeat(1_000));
    }
    trial.tell(cleo, ben, &"x".repeat(1_000));
    let since = [Conversation::With(amy), Conversation::Group(tea), Conversation::With(cleo)]
        .map(|conversation| from(conversation, 0));
    let told = |page: &SyncPage| -> (Vec<(usize, u64, bool)>, usize) {
        let synced = page.conversations.iter();
        let told = synced.map(|synced| (synced.messages.len(), synced.head, synced.complete));
        (told.collect(), page.dealt_with)
    };
    let page = sync(&mut trial, ben, &since, 3, usize::MAX);
    assert_eq!(told(&page), (vec![(3, 4, false), (3, 4, false), (1, 1, true)], 3), "messages of one at most");
    let page = sync(&mut trial, ben, &since, 0, usize::MAX);
    assert_eq!(told(&page).0, [(1, 4, false), (1, 4, false), (1, 1, true)], "one is always given");
    let all = sync(&mut trial, ben, &since, 9, usize::MAX);
    assert_eq!(told(&all), (vec![(4, 4, true), (4, 4, true), (1, 1, true)], 3));
    let size = |at: usize| all.conversations[at].messages[0].envelope.body().len();
    let (direct, of_group) = (size(0), size(1));
    for (bytes, expected) in [
        (0, (vec![(1, 4, false)], 1)),
        (direct, (vec![(1, 4, false)], 1)),
        (2 * direct - 1, (vec![(1, 4, false)], 1)),
        (4 * direct - 1, (vec![(3, 4, false)], 1)),
        (4 * direct, (vec![(4, 4, true)], 1)),
        (4 * direct + of_group, (vec![(4, 4, true), (1, 4, false)], 2)),
        (4 * direct + 4 * of_group, (vec![(4, 4, true), (4, 4, true)], 2)),
        (5 * direct + 4 * of_group, (vec![(4, 4, true), (4, 4, true), (1, 1, true)], 3)),
    ] {
        let page = sync(&mut trial, ben, &since, 9, bytes);
        assert_eq!(told(&page), expected, "{bytes} bytes");
    }
}

fn a_device_asks_on(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let groups = ["a", "b", "c"].map(|name| trial.group(name, amy, &[ben]));
    for number in 0..40 {
        trial.post(
            if number % 5 == 0 { ben } else { amy },
            groups[number * number % 3],
            &"x".repeat(number * 9),
        );
        trial.tell(if number % 4 == 0 { ben } else { amy }, if number % 4 == 0 { amy } else { ben }, "x");
    }
    let mut conversations: Vec<Conversation> = groups.map(Conversation::Group).into();
    conversations.push(Conversation::With(amy));
    let all: Vec<Vec<u64>> =
        conversations.iter().map(|conversation| trial.history(ben, *conversation).mids()).collect();
    for (messages, bytes) in [(1, usize::MAX), (7, 900), (100, 1), (100, 3_000)] {
        let mut has: Vec<Vec<u64>> = vec![Vec::new(); conversations.len()];
        let mut since: Vec<SyncFrom> =
            conversations.iter().map(|conversation| from(*conversation, 0)).collect();
        while !since.is_empty() {
            let page = sync(&mut trial, ben, &since, messages, bytes);
            assert!(page.dealt_with > 0, "each page gets further");
            let mut left = since.split_off(page.dealt_with);
            for synced in page.conversations {
                let index = conversations.iter().position(|other| *other == synced.conversation);
                let has = &mut has[index.expect("it was asked for")];
                for message in &synced.messages {
                    has.push(message.envelope.mid().0);
                    assert_eq!(message.pos, has.len() as u64, "no place is left out");
                }
                if !synced.complete {
                    left.push(from(synced.conversation, has.len() as u64));
                }
            }
            since = left;
        }
        assert_eq!(has, all, "{messages} messages and {bytes} bytes at a time");
    }
}

fn nothing_without_a_part(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let (tea, late) = (trial.group("tea", amy, &[ben]), trial.group("late", amy, &[]));
    trial.tell(amy, ben, "x");
    for group in [tea, late] {
        trial.post(amy, group, "before");
    }
    trial.join(cleo, late);
    let nowhere = GroupId::new(77).expect("an id");
    let since = [
        Conversation::With(amy),
        Conversation::With(ben),
        Conversation::With(stranger()),
        Conversation::Group(tea),
        Conversation::Group(nowhere),
        Conversation::Group(late),
    ]
    .map(|conversation| from(conversation, 0));
    let page = sync(&mut trial, cleo, &since, 9, usize::MAX);
    assert_eq!(page.dealt_with, since.len());
    let [synced] = &page.conversations[..] else { panic!("{page:?}") };
    assert_eq!((synced.conversation, synced.head), (Conversation::Group(late), 1));
    assert_eq!((mids(synced), synced.complete), (vec![], true), "what came before joining is not for her");
    let (mid, pos) = trial.post(amy, late, "after");
    let page = sync(&mut trial, cleo, &since, 9, usize::MAX);
    assert_eq!(mids(&page.conversations[0]), [(pos, mid.0)]);
    // Whoever blocks somebody does not tell it what was read.
    trial.request(StoreRequest::Block { user: ben, blocked: amy }).expect("it is blocked");
    for (user, other, peer_read) in [(amy, ben, None), (ben, amy, Some(0))] {
        let page = sync(&mut trial, user, &[from(Conversation::With(other), 1)], 9, 999);
        assert_eq!((page.conversations[0].peer_read, page.conversations[0].head), (peer_read, 1));
    }
    trial.request(StoreRequest::DelGroup { user: amy, group: tea, row: None }).expect("amy made it");
    assert_eq!(sync(&mut trial, ben, &[from(Conversation::Group(tea), 0)], 9, 999).conversations, []);
}

fn two_hundred_have_nothing_new(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let (mut stores, mut since) = (Vec::new(), Vec::new());
    for number in 0..100 {
        let other = trial.user(&format!("u{number}"));
        let group = trial.group(&format!("g{number}"), other, &[amy]);
        for (target, conversation) in [
            (Target::User(amy), Conversation::With(other)),
            (Target::Group(group), Conversation::Group(group)),
        ] {
            stores.push(StoreRequest::StoreMessage { envelope: trial.message(other, target, "", "x") });
            since.push(from(conversation, 1));
        }
    }
    assert!(trial.requests(stores).iter().all(Result::is_ok));
    let page = sync(&mut trial, amy, &since, 100, usize::MAX);
    assert_eq!((page.conversations.len(), page.dealt_with), (200, 200));
    for (synced, from) in page.conversations.iter().zip(&since) {
        assert_eq!(synced.conversation, from.conversation, "in the order asked");
        assert!(synced.messages.is_empty() && synced.complete && synced.head == 1);
    }
    since.iter_mut().for_each(|from| from.after = 0);
    let page = sync(&mut trial, amy, &since, 100, usize::MAX);
    assert!(page.conversations.iter().all(|synced| synced.messages.len() == 1 && synced.complete));
    assert_eq!(page.dealt_with, 200);
}

fn messages_are_found(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    let (one, two) = (trial.tell(amy, ben, "x"), trial.tell(ben, amy, "x"));
    trial.post(amy, tea, "x");
    let (posted, _) = trial.post(ben, tea, "x");
    let first = trial.message(amy, Target::User(ben), "c", "hello");
    let retry = trial.message(amy, Target::User(ben), "c", "hello");
    assert!(trial.store(&first).is_ok() && trial.store(&retry).is_ok());
    let mut found = |mids: &[MessageId]| match trial.request(StoreRequest::FindPlaces { mids: mids.to_vec() })
    {
        Ok(StoreReply::Places(mut places)) => {
            places.sort_unstable();
            places
        }
        other => panic!("places are always told, not {other:?}"),
    };
    let places = [(one, 1), (two, 2), (posted, 2), (first.mid(), 3)];
    let mids = [first.mid(), MessageId(5), posted, retry.mid(), one, MessageId(u64::MAX), two];
    assert_eq!(found(&mids), places, "another id is the id of no message");
    assert_eq!(found(&[]), []);
    let many: Vec<MessageId> = (0..2_000).map(MessageId).collect();
    assert_eq!(found(&many).len(), 5);
}
