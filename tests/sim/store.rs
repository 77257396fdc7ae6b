//! The store, as `ask.rs` describes it: tables in memory, and one queue a server.

use super::altered::{Changes, Wish};
use super::consent::Consent;
use super::remembered::Remembered;
use super::rng::Rng;
use super::ruled::Seat;
use super::synced::Markers;
use chatd::chat::model::dedup::DedupWindow;
use chatd::chat::model::envelope::{Envelope, Target};
use chatd::chat::model::group_rule::{JoinPolicy, MutedAll, NewRow, Until};
use chatd::chat::model::history::HeadsPage;
use chatd::chat::model::ids::{GroupId, MessageId, Millis, RequestId, UserId};
use chatd::chat::model::profile::{Member, Membership, Person, Profile, Role, Who};
use chatd::chat::model::retention::Retention;
use chatd::chat::model::token::PasswordPrint;
use chatd::chat::port::store::{
    Detail, Issue, Joined, Left, Resumed, StoreReply, StoreRequest, StoreResult, StoredMessage, Verified,
};
use chatd::chat::wire::code::Code;
use chatd::chat::wire::group_event::What;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// The queue of one server.
#[derive(Default)]
pub struct Queue {
    pub waiting: VecDeque<(usize, RequestId, StoreRequest)>,
    pub committing: bool,
    /// The store does not answer this server.
    pub down: bool,
    /// What users who are away said lately; not in the store.
    pub dedup: HashMap<UserId, Box<DedupWindow>>,
}

pub struct Group {
    pub name: String,
    pub desc: String,
    pub members: BTreeMap<UserId, Seat>,
    /// By place, from 1 on.
    pub messages: Vec<MessageId>,
    pub dissolved: bool,
    pub join: JoinPolicy,
    pub all: MutedAll,
    /// Until when who is no member is banned, and muted.
    pub rules: BTreeMap<UserId, (Until, Until)>,
    /// Who asks to join, and since when.
    pub asking: BTreeMap<UserId, Millis>,
}

#[derive(Default)]
pub struct Store {
    pub users: Vec<(String, String)>,
    pub friends: BTreeSet<(UserId, UserId)>,
    pub groups: BTreeMap<GroupId, Group>,
    pub messages: HashMap<MessageId, (Envelope, Option<u64>)>,
    pub cids: HashMap<(UserId, String), MessageId>,
    pub owed: HashMap<UserId, BTreeSet<MessageId>>,
    pub settled: HashSet<(UserId, MessageId)>,
    /// Who ever left what.
    pub left: HashSet<(UserId, GroupId)>,
    /// Direct messages between two users, the smaller id first, by place from 1 on.
    pub direct: HashMap<(UserId, UserId), Vec<MessageId>>,
    /// Ids under which a stored message came again.
    pub alias: HashMap<MessageId, MessageId>,
    pub remembered: Remembered,
    pub markers: Markers,
    pub consent: Consent,
    pub changes: Changes,
    /// Whether one-to-one messages need no row that their readers confirm.
    pub spares_rows: bool,
}

/// Tells passwords apart.
pub fn print(password: &str) -> PasswordPrint {
    PasswordPrint(password.bytes().fold(7, |print, byte| print * 31 % 1_000_003 + u64::from(byte)))
}

pub const MOST_MEMBERS: usize = 5;

impl Store {
    pub fn new(keep: Retention) -> Self {
        Self { spares_rows: keep == Retention::Undelivered, ..Self::default() }
    }

    pub fn enroll(&mut self, name: &str, password: &str) -> UserId {
        self.users.push((name.to_owned(), password.to_owned()));
        UserId::new(self.users.len() as u64).unwrap()
    }

    /// Some of the users are friends of others from the beginning: so many of a thousand.
    pub fn befriend(&mut self, rng: &mut Rng, per_mille: u64) {
        let all = || (1..=self.users.len() as u64).filter_map(UserId::new);
        let pairs: Vec<(UserId, UserId)> =
            all().flat_map(|user| all().map(move |friend| (user, friend))).collect();
        self.friends
            .extend(pairs.into_iter().filter(|(user, friend)| user != friend && rng.chance(per_mille)));
    }

    pub fn person(&self, id: UserId) -> Option<Person> {
        let (name, _) = self.users.get(id.get() as usize - 1)?;
        Some(Person { id, name: name.clone(), hides: false })
    }

    /// Somebody as a user sees it.
    pub fn seen_by(&self, user: UserId, id: UserId) -> Person {
        Person { hides: self.blocks(id, user), ..self.person(id).expect("a user") }
    }

    pub fn blocks(&self, user: UserId, blocked: UserId) -> bool {
        self.remembered.blocked.contains(&(user, blocked))
    }

    pub fn named(&self, who: &Who) -> Option<(UserId, String)> {
        let at = match who {
            Who::Id(user) => user.get() as usize - 1,
            Who::Name(name) => self.users.iter().position(|(taken, _)| taken == name)?,
        };
        let user = UserId::new(at as u64 + 1).expect("an id");
        self.users.get(at).map(|(name, _)| (user, name.clone()))
    }

    pub fn answer(&mut self, ask: &StoreRequest) -> StoreResult {
        match ask {
            StoreRequest::Register { name, password, .. } => {
                if self.users.iter().any(|(taken, _)| taken == name) {
                    return Err(Code::Refused);
                }
                Ok(StoreReply::Registered(self.enroll(name, &password.0)))
            }
            StoreRequest::Verify { who, password, .. } => match self.named(who) {
                Some((user, name)) if self.lets_in(user, &password.0) => {
                    Ok(StoreReply::Verified(Verified { user, name, print: print(&password.0) }))
                }
                _ => Err(Code::Refused),
            },
            // Nobody's word is taken here.
            StoreRequest::Admit { .. } => Err(Code::Refused),
            StoreRequest::Account(act) => self.account(act),
            StoreRequest::Resume { secret, device } => {
                match self.remembered.resume(secret, device.as_deref()) {
                    Some((user, token)) => {
                        let name = self.person(user).expect("who has a token is a user").name;
                        Ok(StoreReply::Resumed(Resumed { user, name, token, expires: None }))
                    }
                    None => Err(Code::Refused),
                }
            }
            &StoreRequest::LoadProfile { user, proof, detail, issue, ref device, heads } => {
                if !self.holds(user, proof) {
                    return Err(Code::Refused);
                }
                let mut roster = self.roster(user, detail);
                roster.token =
                    (issue == Issue::Token).then(|| self.remembered.issue(user, device.as_deref()));
                if heads > 0 {
                    roster.heads = self.heads(user, None, heads);
                }
                Ok(StoreReply::Profile(Box::new(roster)))
            }
            // A server's own affair: see `Queue`.
            StoreRequest::Remember { .. } => Ok(StoreReply::Done),
            &StoreRequest::Revoke { user, token } => {
                self.remembered.revoke(user, token);
                Ok(StoreReply::Done)
            }
            StoreRequest::ChangePassword { user, old, new, .. } => {
                let password = &mut self.users[user.get() as usize - 1].1;
                if *password != old.0 {
                    return Err(Code::Refused);
                }
                password.clone_from(&new.0);
                self.remembered.revoke_all(*user);
                Ok(StoreReply::Issued(self.remembered.issue(*user, None)))
            }
            &StoreRequest::Devices { user } => self.devices(user),
            StoreRequest::CheckProofs { user, proofs } => {
                let good = proofs.iter().copied().filter(|&proof| self.holds(*user, proof));
                Ok(StoreReply::Proven(good.collect()))
            }
            &StoreRequest::DropDevice { user, token } => self.drop_device(user, token),
            // Nobody asks the simulation by what a device is reached.
            &StoreRequest::SetPushToken { user, device, .. } => match self.remembered.has(user, device) {
                true => Ok(StoreReply::Done),
                false => Err(Code::NoSuchUser),
            },
            &StoreRequest::Heads { user, before, heads } => {
                Ok(StoreReply::Heads(self.heads(user, before, heads)))
            }
            StoreRequest::Sync { user, since, wanted, messages, bytes } => {
                self.sync(*user, (since, *wanted), *messages, *bytes)
            }
            StoreRequest::Alter { user, conversation, pos, alteration, cid, ts } => {
                let (user, conversation, pos, ts) = (*user, *conversation, *pos, *ts);
                self.alter(&Wish { user, conversation, pos, alteration, cid: cid.as_deref(), ts })
            }
            &StoreRequest::MoveMarker { user, conversation, pos } => {
                self.move_marker(user, conversation, pos)
            }
            StoreRequest::FindPlaces { mids } => self.places(mids),
            StoreRequest::Find { user, who } => {
                let (id, _) = self.named(who).ok_or(Code::NoSuchUser)?;
                Ok(StoreReply::Found(self.seen_by(*user, id)))
            }
            &StoreRequest::Block { user, blocked } => self.block(user, blocked),
            &StoreRequest::Unblock { user, blocked } => self.unblock(user, blocked),
            &StoreRequest::Members { user, group, after, members } => {
                self.members(user, group, after, members)
            }
            &StoreRequest::History { user, conversation, span, wanted, messages, bytes } => {
                self.history(user, (conversation, span), wanted, messages, bytes)
            }
            StoreRequest::Search { user, q, conversation, before, wanted, messages, bytes } => {
                self.search(*user, q, *conversation, (*before, *wanted), (*messages, *bytes))
            }
            StoreRequest::AppendHistory { envelopes } => {
                envelopes.iter().for_each(|envelope| drop(self.record(envelope)));
                Ok(StoreReply::Done)
            }
            &StoreRequest::Friends { user } => Ok(StoreReply::Friends(self.friends_of(user))),
            &StoreRequest::Hidden { user } => {
                let friends = self.friends_of(user).into_iter().filter(|friend| friend.hides);
                Ok(StoreReply::Hidden(friends.map(|friend| friend.id).collect()))
            }
            &StoreRequest::Acquaintances { user } => Ok(self.acquaintances(user)),
            &StoreRequest::AddFriend { user, friend } => self.add_friend(user, friend),
            &StoreRequest::DelFriend { user, friend, parting } => self.del_friend(user, friend, parting),
            StoreRequest::AskFriend { user, friend, note, cid } => {
                self.ask_friend(*user, *friend, note, cid.as_deref())
            }
            &StoreRequest::AnswerFriend { user, friend, answer } => self.answer_friend(user, friend, answer),
            &StoreRequest::SaveSettings { user, change } => self.save_settings(user, change),
            StoreRequest::CreateGroup { user, name, desc } => self.create_group(*user, name, desc),
            &StoreRequest::AddGroup { user, group, row } => self.add_group(user, group, row),
            &StoreRequest::DelGroup { user, group, row } => self.del_group(user, group, row),
            StoreRequest::RuleGroup { user, group, rule, row, cid } => {
                self.rule_group((*user, *group), rule, *row, cid.as_deref())
            }
            &StoreRequest::JoinRequests { user, group } => self.join_requests(user, group),
            &StoreRequest::CheckMembership { user, group } => {
                let members = &self.group(group)?.members;
                if members.contains_key(&user) { Ok(StoreReply::Done) } else { Err(Code::NotAMember) }
            }
            StoreRequest::StoreMessage { envelope } => self.keep(envelope),
            StoreRequest::FetchBacklog { user, after, have, messages, bytes } => {
                Ok(self.take(*user, *after, have, *messages, *bytes))
            }
            StoreRequest::AckDelivered { user, mids, cursors: progress } => {
                let others: Vec<MessageId> =
                    mids.iter().filter_map(|mid| self.alias.get(mid).copied()).collect();
                for &mid in mids.iter().chain(&others) {
                    self.owed.entry(*user).or_default().remove(&mid);
                    self.settled.insert((*user, mid));
                }
                progress.iter().for_each(|progress| self.advance(*user, progress));
                Ok(if others.is_empty() { StoreReply::Done } else { StoreReply::DeliveredAs(others) })
            }
        }
    }

    /// Whether a user has ever refused what this sender says.
    pub fn has_refused(&self, user: UserId, sender: UserId) -> bool {
        self.remembered.ever_blocked.contains(&(user, sender))
    }

    pub fn friends_of(&self, user: UserId) -> Vec<Person> {
        let friends = self.friends.iter().filter(|(of, _)| *of == user);
        friends.map(|&(_, friend)| self.seen_by(user, friend)).collect()
    }

    fn roster(&self, user: UserId, detail: Detail) -> Profile {
        let groups = self.groups.iter().filter_map(|(&group, found)| {
            let seat = found.members.get(&user)?;
            let member = |(&id, seat): (&UserId, &Seat)| Member {
                person: self.seen_by(user, id),
                role: seat.role,
                muted: seat.muted,
            };
            let members = match detail {
                Detail::Members => found.members.iter().map(member).collect(),
                Detail::Counts => Vec::new(),
            };
            Some(Membership {
                group,
                name: found.name.clone(),
                desc: found.desc.clone(),
                members,
                size: found.members.len() as u64,
                cursor: seat.cursor,
                join: found.join,
                standing: seat.rule(),
                at: seat.ruled,
                all: found.all,
            })
        });
        let blocked = self.remembered.blocked.iter().filter(|(of, _)| *of == user).map(|&(_, whom)| whom);
        Profile {
            friends: self.friends_of(user),
            groups: groups.collect(),
            blocked: blocked.collect(),
            settings: self.settings_of(user),
            asking: if detail == Detail::Counts { self.asking(user) } else { Vec::new() },
            heads: HeadsPage::default(),
            token: None,
            dedup: None,
        }
    }

    pub fn group(&self, group: GroupId) -> Result<&Group, Code> {
        self.groups.get(&group).filter(|group| !group.dissolved).ok_or(Code::NoSuchGroup)
    }

    pub fn create_group(&mut self, user: UserId, name: &str, desc: &str) -> StoreResult {
        if self.groups.values().any(|group| !group.dissolved && group.name == name) {
            return Err(Code::Exists);
        }
        let id = GroupId::new(self.groups.len() as u64 + 1).unwrap();
        let creator = Seat::new(Role::Creator, 0);
        let group = Group {
            name: name.to_owned(),
            desc: desc.to_owned(),
            members: BTreeMap::from([(user, creator)]),
            messages: Vec::new(),
            dissolved: false,
            join: JoinPolicy::Open,
            all: MutedAll::default(),
            rules: BTreeMap::new(),
            asking: BTreeMap::new(),
        };
        self.groups.insert(id, group);
        let (row, muted, all) = (None, Until::NEVER, MutedAll::default());
        Ok(StoreReply::Joined(Joined { group: id, head: 0, row, muted, all }))
    }

    pub fn add_group(&mut self, user: UserId, id: GroupId, row: Option<NewRow>) -> StoreResult {
        self.group(id)?;
        let group = self.groups.get_mut(&id).unwrap();
        if group.members.contains_key(&user) {
            return Err(Code::Exists);
        }
        if group.members.len() == MOST_MEMBERS {
            return Err(Code::TooMany);
        }
        if !group.admits(user, row)? {
            return Ok(StoreReply::Done);
        }
        let row = row.map(|row| self.add_row((user, id), row, None, None, What::Joined));
        let group = self.groups.get_mut(&id).unwrap();
        let head = group.messages.len() as u64;
        let muted = group.enter(user, head);
        Ok(StoreReply::Joined(Joined { group: id, head, row, muted, all: group.all }))
    }

    fn del_group(&mut self, user: UserId, id: GroupId, row: Option<NewRow>) -> StoreResult {
        let seat = self.group(id)?.members.get(&user).ok_or(Code::NotAMember)?;
        let dissolved = seat.role == Role::Creator;
        let row = row.filter(|_| !dissolved);
        let row = row.map(|row| self.add_row((user, id), row, None, None, What::Left));
        let group = self.groups.get_mut(&id).unwrap();
        group.leave(user);
        self.left.insert((user, id));
        if dissolved {
            group.dissolved = true;
            group.members.clear();
        }
        Ok(StoreReply::Left(Left { dissolved, row }))
    }

    /// The greatest id that is known, as the real ones tell it when they are opened.
    pub fn greatest_mid(&self) -> MessageId {
        self.messages.keys().chain(self.alias.keys()).copied().max().unwrap_or(MessageId(0))
    }

    /// Stores a message, and makes a direct one part of its reader's backlog.
    fn keep(&mut self, envelope: &Envelope) -> StoreResult {
        let answer = self.record(envelope);
        let (Ok(StoreReply::Stored(StoredMessage { mid, .. })), Target::User(user)) =
            (&answer, envelope.target())
        else {
            return answer;
        };
        if *mid != envelope.mid() {
            self.alias.insert(envelope.mid(), *mid);
        } else if !self.settled.contains(&(user, *mid)) && !self.is_recalled(*mid) {
            self.owed.entry(user).or_default().insert(*mid);
        }
        answer
    }

    /// A stored message as it was when it was sent.
    fn first_said(&self, mid: MessageId) -> Option<&Envelope> {
        self.changes.first.get(&mid).or_else(|| self.messages.get(&mid).map(|(envelope, _)| envelope))
    }

    /// Stores a message, once.
    fn record(&mut self, envelope: &Envelope) -> StoreResult {
        let (mid, sender) = (envelope.mid(), envelope.sender());
        let cid = (!envelope.cid().is_empty()).then(|| (sender, envelope.cid().to_owned()));
        let known = cid.as_ref().and_then(|cid| self.cids.get(cid).copied());
        if known.is_none()
            && let Some(other) = self.first_said(mid)
            && other.bytes()[..] != envelope.bytes()[..]
            && (other.sender(), other.cid(), other.ts(), other.body())
                != (sender, envelope.cid(), envelope.ts(), envelope.body())
        {
            return Ok(StoreReply::IdTaken);
        }
        let known = known.unwrap_or(mid);
        if let (Some(known), Some((_, pos))) = (self.first_said(known), self.messages.get(&known)) {
            // A body has the time in it only if the sender gave one; here it always does.
            if (known.target(), known.body()) != (envelope.target(), envelope.body()) {
                return Err(Code::CidReused);
            }
            return Ok(StoreReply::Stored(StoredMessage { mid: known.mid(), ts: known.ts(), pos: *pos }));
        }
        let place = match envelope.target() {
            Target::User(user) => {
                self.person(user).ok_or(Code::NoSuchUser)?;
                if self.refuses(user, sender) {
                    return Err(Code::NotYours);
                }
                self.direct.entry((sender.min(user), sender.max(user))).or_default()
            }
            Target::Group(id) => {
                let group = self.group(id)?;
                let seat = group.members.get(&sender).ok_or(Code::NotAMember)?;
                if group.is_muted(seat, envelope.ts()) {
                    return Err(Code::Muted);
                }
                &mut self.groups.get_mut(&id).unwrap().messages
            }
        };
        place.push(mid);
        let pos = Some(place.len() as u64);
        cid.map(|cid| self.cids.insert(cid, mid));
        self.messages.insert(mid, (envelope.clone(), pos));
        Ok(StoreReply::Stored(StoredMessage { mid, ts: envelope.ts(), pos }))
    }
}
