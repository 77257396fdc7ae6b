//! People who ask for friendships, answer, and choose who may write to them; and what must be true of that:
//!
//! - From the ACK of a SETTINGS on, nothing comes of whoever may not write that was not said before.
//! - From the ACK of a yes on, each is on the other's list.
//! - Whoever is asked knows of it once all is at rest: by an event, or by its login answer; whoever was told of a new
//!   friend has been told how that one is; and who was told last that a friend is gone does not have it.

use super::heard::Heard;
use super::plan::Plan;
use super::world::World;
use chatd::chat::model::consent::WhoWrites;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::ids::UserId;
use std::collections::BTreeSet;

/// What a user's clients know of what it has chosen.
#[derive(Default)]
pub struct Chosen {
    asked: u64,
    unanswered: BTreeSet<u64>,
    /// What it is, and since when that is known. Only if nothing else that was asked can come after it.
    known: Option<(WhoWrites, u64)>,
}

const ALL: [WhoWrites; 3] = [WhoWrites::All, WhoWrites::Friends, WhoWrites::None];

impl World {
    /// What a client understands besides, as LOGIN and RESUME say it.
    pub fn caps(&self, conn: usize) -> &'static str {
        let knows = self.people[conn].phone.as_ref().is_some_and(|phone| phone.knows_friendships);
        if knows { ",\"caps\":[\"friend\"]" } else { "" }
    }

    /// Something about who may write, or who is a friend.
    pub fn consent(&mut self, conn: usize) {
        let user = self.people[conn].user as u64;
        let other = self.rng.between(1, self.plan.users as u64);
        match self.rng.below(6) {
            0 => {
                let who = self.rng.pick(&ALL);
                let chosen = &mut self.device(conn).chosen;
                chosen.asked += 1;
                chosen.known = None;
                chosen.unanswered.insert(chosen.asked);
                let (asked, who) = (chosen.asked, who.name());
                let receipts = self.rng.pick(&["true", "false"]);
                let fields = format!("\"who_writes\":\"{who}\",\"read_receipts\":{receipts}");
                self.write(conn, &format!("{{\"msgid\":60,{fields},\"cid\":\"s{asked}.{who}\"}}"));
            }
            1 | 2 if other != user => {
                self.write(conn, &format!("{{\"msgid\":52,\"userid\":{other},\"cid\":\"f{other}\"}}"));
            }
            _ => {
                let phone = self.people[conn].phone.as_ref().expect("speaks v2");
                let Some(&asker) = phone.asking.first() else { return };
                let yes = self.rng.chance(700);
                let cid = if yes { format!(",\"cid\":\"y{asker}\"") } else { String::new() };
                self.write(conn, &format!("{{\"msgid\":53,\"userid\":{asker},\"yes\":{yes}{cid}}}"));
            }
        }
    }

    /// A hub answers a yes: both have each other, or had until one of them wanted it otherwise.
    pub fn check_friends_made(&mut self, conn: usize, heard: &Heard) {
        if (heard.msgid(), heard.errno(), heard.number("re")) != (20, Some(0), Some(53)) {
            return;
        }
        let Some(asker) = heard.cid().strip_prefix('y').and_then(|asker| asker.parse().ok()) else { return };
        let stay = self.oracle.online(conn).expect("who is answered is there");
        let (user, asker) = (self.oracle.stays[stay].user, UserId::new(asker).expect("an id"));
        for (of, friend) in [(user, asker), (asker, user)] {
            let has = self.store.friends.contains(&(of, friend)) || self.store.has_parted(user, asker);
            assert!(has, "(m) {of:?} does not have {friend:?}, and they are friends");
        }
        self.oracle.tally.count("friendships made");
    }

    /// A client understands what is said of friendships and settings.
    pub fn understand_consent(&mut self, conn: usize, heard: &Heard) {
        let now_us = self.now_us;
        let phone = self.people[conn].phone.as_mut().expect("speaks v2");
        match (heard.msgid(), heard.errno()) {
            (2, Some(0)) => {
                phone.asking.extend(heard.list("asking").iter().filter_map(|ask| ask.number("id")));
            }
            (54, _) => {
                let id = heard.number("id").expect("of somebody");
                assert!(phone.knows_friendships, "(m) an event for who does not understand it");
                assert!(self.oracle.read.contains_key(&conn), "(m) an event before the login answer");
                match heard.text("what") {
                    Some("asks") => drop(phone.asking.insert(id)),
                    Some("accepted") => {
                        phone.asking.remove(&id);
                        phone.accepted.insert(id);
                        phone.gone.remove(&id);
                    }
                    Some("gone") => {
                        phone.friends.remove(&id);
                        phone.accepted.remove(&id);
                        phone.gone.insert(id);
                    }
                    // Of a session whose place it has taken; or what was missed while the bus was lost, or not known after a 110.
                    Some("added") => drop(phone.gone.remove(&id)),
                    Some("blocked" | "unblocked" | "asked" | "refused") => {}
                    other => panic!("(m) what is {other:?}?"),
                }
                self.oracle.tally.count("told of a friendship");
            }
            (20 | 21, Some(errno)) if heard.cid().starts_with('s') => {
                let (asked, who) = heard.cid()[1..].split_once('.').expect("as it was said");
                let (asked, who) = (asked.parse().expect("a number"), WhoWrites::named(who));
                if errno == 0 {
                    assert_eq!(heard.text("who_writes"), who.map(WhoWrites::name), "(m) the ACK says so");
                }
                let chosen = &mut self.reading(conn).chosen;
                if errno != 110 {
                    chosen.unanswered.remove(&asked);
                }
                let is_last = asked == chosen.asked && chosen.unanswered.is_empty();
                chosen.known = who.filter(|_| errno == 0 && is_last).map(|who| (who, now_us));
            }
            _ => {}
        }
    }

    /// Nothing comes of whoever may not write that was said after that was acknowledged.
    pub fn check_wanted(&mut self, conn: usize, number: u64) {
        let user = UserId::new(self.reader(conn) as u64).expect("an id");
        let Some((sender, text)) = self.oracle.text(number) else { return };
        // Of two sessions, one does not know what the other one asked for.
        if self.plan.has_parted() || text.target != Target::User(user) || sender == user {
            return;
        }
        let Some((who, since_us)) = self.devices.get(&self.reader(conn)).and_then(|it| it.chosen.known)
        else {
            return;
        };
        let said = self.oracle.texts[number as usize].said.as_ref().expect("it was said");
        let is_after = said.at_us > since_us && !said.repeated;
        let may_write = match who {
            WhoWrites::All => true,
            WhoWrites::Friends => self.store.was_friend(user, sender),
            WhoWrites::None => false,
        };
        assert!(may_write || !is_after, "(m) text {number} comes to {user:?}, who lets {who:?} write");
        self.oracle.tally.count(match may_write {
            true => "received of who may write",
            false => "received of who might write before",
        });
    }

    /// Whoever is asked knows of it.
    pub fn check_asked(&mut self) {
        // A notice that is lost is found with the next login.
        if self.plan.phases.iter().any(|&phase| Plan::loses(phase)) {
            return;
        }
        let online: Vec<(UserId, usize)> = self.oracle.online_conns().collect();
        for (user, conn) in online {
            let Some(phone) = &self.people[conn].phone else { continue };
            for ask in self.store.asking(user).iter().filter(|_| phone.knows_friendships) {
                let is_told = phone.asking.contains(&ask.asker.get().into());
                assert!(is_told, "(m) {user:?} does not know that {:?} asks", ask.asker);
                self.oracle.tally.count("asked, and know of it");
            }
            let friends = phone.accepted.iter().filter_map(|&id| UserId::new(id));
            for friend in friends.filter(|&friend| self.store.friends.contains(&(user, friend))) {
                let is_told = phone.friends.contains_key(&u64::from(friend.get()));
                assert!(is_told, "(m) {user:?} was not told how its new friend {friend:?} is");
                self.oracle.tally.count("new friends, seen as they are");
            }
            for friend in phone.gone.iter().filter_map(|&id| UserId::new(id)) {
                let has = self.store.friends.contains(&(user, friend));
                assert!(!has, "(m) {user:?} was told last that {friend:?} is gone, and has it on its list");
                self.oracle.tally.count("friends who are gone, as was told");
            }
        }
    }
}
