//! Hunts through conversations made at random, page by page, against looking at every message.

use super::*;
use crate::search::run::{Change, Written, put};
use chatd_chat::model::ids::GroupId;
use std::collections::BTreeMap;

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct World {
    /// Runs by conversation and least id.
    runs: Vec<(Visible, BTreeMap<u64, Vec<u8>>)>,
    /// Ids and words of all messages that are visible.
    all: BTreeMap<u64, String>,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let (mut runs, mut all) = (Vec::new(), BTreeMap::new());
        for id in 1..=1 + dice.below(8) {
            let joined = dice.below(10);
            let visible = Visible { conversation: Conversation::Group(GroupId::new(id).unwrap()), joined };
            let mut own: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
            for pos in 1..=dice.below(60) {
                let mid = 1 + dice.below(2_000) * 8 + id;
                let words = format!(" {}", ["tea", "team", "four", "five"][dice.below(4) as usize]);
                if all.contains_key(&mid) || own.values().any(|run| run.is_empty()) {
                    continue;
                }
                if pos > joined {
                    all.insert(mid, words.clone());
                }
                let first = own.range(..=mid).next_back().map_or(mid, |(first, _)| *first);
                let old = own.remove(&first).unwrap_or_default();
                for Written { first, bytes } in put(first, &old, &[Change { mid, pos, words }], 60) {
                    own.insert(first, bytes);
                }
            }
            runs.push((visible, own));
        }
        Self { runs, all }
    }

    /// All pages of a hunt that reads so many bytes a page.
    fn pages(&self, question: &str, most: usize, bytes: usize, at_once: usize) -> Vec<u64> {
        let user = UserId::new(1).unwrap();
        let (mut told, mut before) = (Vec::new(), None);
        for _ in 0..10_000 {
            let mut hunt = Hunt::new(user, Words::of(question).unwrap(), before, most);
            hunt.read_at_most(bytes);
            for (visible, runs) in &self.runs {
                let firsts: Vec<u64> =
                    runs.keys().rev().copied().filter(|first| *first < hunt.before()).collect();
                hunt.conversation(*visible, &firsts);
            }
            hunt.begin();
            loop {
                let wanted = hunt.wanted(at_once);
                if wanted.is_empty() {
                    break;
                }
                for wanted in wanted {
                    let (_, runs) = &self.runs[wanted.of];
                    hunt.look_through(wanted, &runs[&wanted.first]);
                }
            }
            let bag = hunt.end();
            assert!(bag.candidates.len() <= most);
            told.extend(bag.candidates.iter().map(|candidate| candidate.mid.0));
            let Some(next) = bag.before else { return told };
            assert!(before.is_none_or(|before: MessageId| next < before), "it goes on");
            before = Some(next);
        }
        panic!("it comes to no end");
    }
}

#[test]
fn every_message_is_found_once_newest_first_however_much_a_page_reads() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let world = World::new(&mut dice);
        for question in ["tea", "t", "f", "five", "fo", "nothing"] {
            let words = Words::of(question).unwrap();
            let expected: Vec<u64> = world
                .all
                .iter()
                .rev()
                .filter(|(_, text)| words.are_in(text.as_bytes()))
                .map(|(mid, _)| *mid)
                .collect();
            for (most, bytes, at_once) in
                [(1, 1, 1), (3, 100, 2), (50, 1, 4), (5, usize::MAX, 16), (200, 300, 1)]
            {
                let told = world.pages(question, most, bytes, at_once);
                assert_eq!(told, expected, "seed {seed}, {question}, {most} of {bytes} bytes");
            }
        }
    }
}

#[test]
fn a_page_that_is_full_reads_no_more() {
    let visible = |id| Visible { conversation: Conversation::Group(GroupId::new(id).unwrap()), joined: 0 };
    let mut hunt = Hunt::new(UserId::new(1).unwrap(), Words::of("tea").unwrap(), None, 2);
    hunt.conversation(visible(1), &[500, 100]);
    hunt.conversation(visible(2), &[400, 200]);
    hunt.begin();
    let firsts = |hunt: &Hunt| hunt.wanted(9).iter().map(|wanted| wanted.first).collect::<Vec<_>>();
    assert_eq!(firsts(&hunt), [500, 400, 100, 200]);
    let run = |first: u64, mids: &[u64]| {
        let change = |&mid: &u64| Change { mid, pos: mid, words: " tea".to_owned() };
        put(first, &[], &mids.iter().map(change).collect::<Vec<_>>(), 4_000).remove(0).bytes
    };
    let wanted = hunt.wanted(1)[0];
    hunt.look_through(wanted, &run(500, &[510, 520]));
    assert_eq!(firsts(&hunt), [400], "the newest run of another conversation may have newer ones");
    let wanted = hunt.wanted(1)[0];
    hunt.look_through(wanted, &run(400, &[450, 515]));
    assert_eq!(firsts(&hunt), [] as [u64; 0]);
    let bag = hunt.end();
    assert_eq!(bag.candidates.iter().map(|one| one.mid.0).collect::<Vec<_>>(), [520, 515]);
    assert_eq!(bag.before, Some(MessageId(515)));
}
