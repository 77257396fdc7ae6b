//! Finding messages by their words: all that one may see, and nothing else.

use super::changes::{ask, edit, react};
use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use crate::search::Question;
use chatd_chat::model::change::{Alteration, Reaction, RowState, Wanted};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::history::{Conversation, SearchPage};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "all words are found, newest first", run: all_words_are_found_newest_first },
    Case { name: "a search is for those who were there", run: a_search_is_for_those_who_were_there },
    Case { name: "a search goes on where its page ended", run: a_search_goes_on_where_its_page_ended },
    Case { name: "a message that is stored late is found", run: a_message_that_is_stored_late_is_found },
    Case { name: "a search says what it cannot find yet", run: a_search_says_what_it_cannot_find_yet },
    Case { name: "a message is found by what it says now", run: a_message_is_found_by_what_it_says_now },
    Case { name: "what is found says what became of it", run: what_is_found_says_what_became_of_it },
    Case { name: "thousands of messages are indexed", run: thousands_of_messages_are_indexed },
    Case { name: "a group is forgotten with its messages", run: a_group_is_forgotten_with_its_messages },
];

fn everywhere(user: UserId, q: &str) -> Question {
    let q = q.to_owned();
    let wanted = Wanted { changes: true, events: true };
    Question { user, q, conversation: None, before: None, wanted, messages: 50, bytes: usize::MAX }
}

fn page(trial: &mut Trial, question: &Question) -> SearchPage {
    match trial.search(question) {
        Ok(StoreReply::Search(page)) => page,
        other => panic!("something was found or not, not {other:?}"),
    }
}

fn mids(page: &SearchPage) -> Vec<u64> {
    page.hits.iter().map(|hit| hit.placed.envelope.mid().0).collect()
}

/// The ids of what is found, which is all.
fn found(trial: &mut Trial, user: UserId, q: &str) -> Vec<u64> {
    let page = page(trial, &everywhere(user, q));
    assert_eq!((page.before, page.searched_to), (None, None), "{q}");
    mids(&page)
}

fn all_words_are_found_newest_first(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let four = trial.tell(amy, ben, "Tea at FOUR?").0;
    let yes = trial.tell(ben, amy, "four, yes").0;
    let (post, pos) = trial.post(ben, group, "Fourteen of us have tea\\n\\\"now\\\"");
    let han = trial.tell(amy, amy, "\u{4eca}\u{5929}\u{5929}\u{6c14}").0;
    trial.index();
    for (q, expected) in [
        ("four", vec![post.0, yes, four]),
        ("FOU TE", vec![post.0, four]),
        ("now", vec![post.0]),
        ("nnow", vec![]),
        ("\u{5929}\u{6c14}", vec![han]),
        ("\u{5929}", vec![han]),
        ("five", vec![]),
    ] {
        assert_eq!(found(&mut trial, amy, q), expected, "{q}");
    }
    let hit = page(&mut trial, &everywhere(amy, "fourteen")).hits.remove(0);
    assert_eq!((hit.conversation, hit.placed.pos), (Conversation::Group(group), pos));
    let told: Vec<Conversation> =
        page(&mut trial, &everywhere(ben, "four")).hits.iter().map(|hit| hit.conversation).collect();
    let with_amy = Conversation::With(amy);
    assert_eq!(told, [Conversation::Group(group), with_amy, with_amy]);
    assert_eq!(trial.search(&everywhere(amy, "?!")), Err(Code::InvalidField));
    // What follows is found too, beside what is there.
    let more = trial.tell(amy, ben, "four more").0;
    trial.index();
    trial.index();
    assert_eq!(found(&mut trial, ben, "four"), [more, post.0, yes, four]);
}

fn a_search_is_for_those_who_were_there(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    let direct = trial.tell(amy, ben, "secret one").0;
    let early = trial.post(amy, group, "secret two").0.0;
    trial.join(cleo, group);
    let late = trial.post(amy, group, "secret three").0.0;
    trial.index();
    assert_eq!(found(&mut trial, ben, "secret"), [late, early, direct]);
    assert_eq!(found(&mut trial, cleo, "secret"), [late]);
    let only =
        |user, conversation| Question { conversation: Some(conversation), ..everywhere(user, "secret") };
    for (user, conversation, expected) in [
        (amy, Conversation::With(ben), vec![direct]),
        (ben, Conversation::Group(group), vec![late, early]),
        (cleo, Conversation::Group(group), vec![late]),
        (cleo, Conversation::With(amy), vec![]),
    ] {
        assert_eq!(mids(&page(&mut trial, &only(user, conversation))), expected);
    }
    assert!(trial.request(StoreRequest::DelGroup { user: ben, group, row: None }).is_ok());
    assert_eq!(found(&mut trial, ben, "secret"), [direct]);
    let in_group = Conversation::Group(group);
    assert_eq!(trial.search(&only(ben, in_group)), Err(Code::NotAMember));
    let nobody = Conversation::With(super::accounts::stranger());
    assert_eq!(trial.search(&only(ben, nobody)), Err(Code::NoSuchUser));
    assert!(trial.request(StoreRequest::DelGroup { user: amy, group, row: None }).is_ok());
    assert_eq!(trial.search(&only(cleo, in_group)), Err(Code::NoSuchGroup));
}

fn a_search_goes_on_where_its_page_ended(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let mut all = Vec::new();
    for number in 0..30 {
        let to = if number % 3 == 0 { ben } else { cleo };
        all.push(trial.tell(amy, to, &format!("tea {number} {}", "x".repeat(100))).0);
    }
    all.reverse();
    trial.index();
    let size = page(&mut trial, &everywhere(amy, "tea")).hits[0].placed.envelope.body().len();
    for (messages, bytes) in [(1, usize::MAX), (7, usize::MAX), (30, usize::MAX), (50, 5 * size), (50, 0)] {
        let (mut told, mut before) = (Vec::new(), None);
        loop {
            let page = page(&mut trial, &Question { messages, bytes, before, ..everywhere(amy, "tea") });
            assert!(page.hits.len() <= messages);
            assert!(page.hits.len() == 1 || page.hits.len() * size <= bytes.saturating_add(64));
            told.extend(mids(&page));
            before = page.before;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(told, all, "{messages} messages, {bytes} bytes at a time");
    }
}

fn a_message_that_is_stored_late_is_found(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let direct = trial.tell(amy, ben, "tea").0;
    let post = trial.post(amy, group, "tea").0.0;
    trial.index();
    for (mid, target) in [(8, Target::User(amy)), (9, Target::Group(group))] {
        let late = sealed(ben, target, MessageId(mid), "", &body(ben, target, "late tea", ""));
        assert!(trial.store(&late).is_ok());
    }
    trial.index();
    assert_eq!(found(&mut trial, amy, "tea"), [post, direct, 9, 8]);
    assert_eq!(found(&mut trial, amy, "late"), [9, 8]);
    let after = trial.tell(amy, ben, "late").0;
    trial.index();
    assert_eq!(found(&mut trial, ben, "late"), [after, 9, 8]);
}

fn a_search_says_what_it_cannot_find_yet(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let first = trial.tell(amy, ben, "tea").0;
    trial.index();
    let second = trial.tell(amy, ben, "tea");
    let behind = page(&mut trial, &everywhere(amy, "tea"));
    assert_eq!(mids(&behind), [first]);
    // By the time at which the second one says that it was accepted.
    assert_eq!(behind.searched_to.map(|to| to.0), Some(second.0 + 7 - 1));
    trial.index();
    assert_eq!(found(&mut trial, amy, "tea"), [second.0, first]);
}

fn a_message_is_found_by_what_it_says_now(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let with_ben = Conversation::With(ben);
    let (one, two) = (trial.tell(amy, ben, "tea").0, trial.tell(amy, ben, "tea").0);
    for is_indexed_before in [true, false] {
        if is_indexed_before {
            trial.index();
        }
        let text = if is_indexed_before { "coffee" } else { "cocoa" };
        ask(&mut trial, amy, with_ben, 1, edit(text), "").unwrap();
        assert_eq!(mids(&page(&mut trial, &everywhere(ben, "tea"))), [two], "what it said is gone at once");
        trial.index();
        assert_eq!(found(&mut trial, ben, text), [one]);
        assert_eq!(found(&mut trial, ben, "tea"), [two]);
    }
    ask(&mut trial, amy, with_ben, 2, Alteration::Recall, "").unwrap();
    assert_eq!(mids(&page(&mut trial, &everywhere(ben, "tea"))), [0; 0]);
    trial.index();
    assert_eq!(found(&mut trial, ben, "tea"), [0; 0]);
    assert_eq!(found(&mut trial, ben, "cocoa"), [one]);
}

fn what_is_found_says_what_became_of_it(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    trial.tell(amy, ben, "tea for one");
    trial.tell(amy, ben, "tea");
    let (_, pos) = trial.post(ben, group, "tea for all");
    ask(&mut trial, amy, Conversation::With(ben), 1, edit("tea for two"), "").unwrap();
    for (user, emoji) in [(amy, "+1"), (ben, "+1"), (ben, "o")] {
        ask(&mut trial, user, Conversation::Group(group), pos, react(emoji, true), "").unwrap();
    }
    trial.index();
    let states = |page: SearchPage| page.hits.into_iter().map(|hit| hit.placed.state).collect::<Vec<_>>();
    let reaction = |emoji: &str, n, mine| Reaction { emoji: emoji.into(), n, mine };
    let reacted =
        RowState::Changed { rev: 0, reactions: vec![reaction("+1", 2, true), reaction("o", 1, false)] };
    let edited = RowState::Changed { rev: 1, reactions: Vec::new() };
    let found = states(page(&mut trial, &everywhere(amy, "tea")));
    assert_eq!(found, [reacted, RowState::AsSaid, edited]);
    // To who does not understand it, nothing became of them.
    let question = Question { wanted: Wanted::default(), ..everywhere(amy, "tea") };
    assert_eq!(states(page(&mut trial, &question)), vec![RowState::AsSaid; 3]);
}

fn thousands_of_messages_are_indexed(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    let (mut threes, mut of_group) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let mut requests = Vec::new();
        for number in 0..200 {
            let target = [Target::User(ben), Target::User(cleo), Target::Group(group)][number % 3];
            let text = if number % 50 == 3 { "needle in a stack of hay" } else { "a stack of hay" };
            let envelope = trial.message(amy, target, "", text);
            if number % 50 == 3 && target != Target::User(cleo) {
                threes.push(envelope.mid().0);
            }
            if target == Target::Group(group) {
                of_group.push(envelope.mid().0);
            }
            requests.push(StoreRequest::StoreMessage { envelope });
        }
        assert!(trial.requests(requests).iter().all(Result::is_ok));
        if round % 7 == 0 {
            trial.index();
        }
    }
    trial.index();
    threes.reverse();
    assert!(threes.len() > 40);
    let question = Question { messages: 200, ..everywhere(ben, "need") };
    let told = page(&mut trial, &question);
    assert_eq!((mids(&told), told.before), (threes, None));
    let question =
        Question { messages: 10_000, conversation: Some(Conversation::Group(group)), ..everywhere(ben, "s") };
    of_group.reverse();
    assert_eq!(mids(&page(&mut trial, &question)), of_group);
}

fn a_group_is_forgotten_with_its_messages(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    for number in 0..600 {
        trial.post(amy, group, &format!("tea {number}"));
    }
    let kept = trial.tell(amy, ben, "tea").0;
    trial.index();
    for number in 0..300 {
        trial.post(amy, group, &format!("tea {number}"));
    }
    assert!(trial.request(StoreRequest::DelGroup { user: amy, group, row: None }).is_ok());
    for _ in 0..5 {
        trial.index();
        trial.fetch(amy);
    }
    assert_eq!(found(&mut trial, amy, "tea"), [kept]);
    assert_eq!(found(&mut trial, ben, "tea"), [kept]);
}
