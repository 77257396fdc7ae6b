//! The steps that are about how groups are run.
//!
//! ```text
//! ruled 7 · ruled again 7 · ruled     what the request for a rule asks for is done: its row is at 7; it was done before
//!                                and is there; it makes no row
//! entered 5 at 7                 the request to join is done, and has a row
//! asking 2=bob 3=cy              who asks to join
//! page muted 5@7 · page all muted 5@7    what a page says of a group besides: that one, or all, are muted since place 7
//! arrives group 5 rule 2 muted at 7 · 2 out at 7 · 2 free at 7 · all muted at 7 · all free at 7    by user 9
//! arrives user 1 knows           a core knows the last rule that was published here
//! arrives user 1 rule of 5: 2 out at 7     the same, on the channel of a user
//! arrives event 5 by 2 joined at 7     what another core has done to a group
//! ```

use super::script::{Script, group, user};
use chatd::chat::model::change::RowState;
use chatd::chat::model::envelope::{Durability, Envelope, Message, RuleNotice, Target};
use chatd::chat::model::group_rule::{
    Asking, GroupRule, MemberRule, MutedAll, Ruled, Rules, Standing, Until,
};
use chatd::chat::model::history::Placed;
use chatd::chat::model::ids::{GroupId, Millis, UserId};
use chatd::chat::model::profile::{Person, Role};
use chatd::chat::port::event::Channel;
use chatd::chat::port::store::{Joined, StoreReply, StoreRequest};
use chatd::chat::wire::group_event::{self, What};

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// What a page says that its reader is in a group: normal, and muted, or all are, where one of these says so: `5@7`.
pub fn rules(id: GroupId, muted: &[(bool, &str)]) -> Rules {
    let mut rules =
        Rules { group: id, member: MemberRule::of(Role::Normal), at: 0, all: MutedAll::default() };
    for &(of_all, place) in muted {
        let (of, at) = place.split_once('@').expect("a group and a place");
        match (group(of) == id, of_all) {
            (true, true) => rules.all = MutedAll { until: Until::FOR_EVER, at: number(at) },
            (true, false) => (rules.member.muted, rules.at) = (Until::FOR_EVER, number(at)),
            (false, _) => {}
        }
    }
    rules
}

fn event(by: UserId, group: GroupId, whom: Option<UserId>, what: What<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    group_event::body(&mut body, (by, "somebody"), group, whom.map(|user| (user, "whom")), what);
    body
}

fn sealed(message: Message<'_>) -> Envelope {
    Envelope::message(message, &mut Vec::new())
}

fn rule_of(words: &[&str]) -> RuleNotice {
    let [who, what, "at", at] = *words else { panic!("who is what at which place") };
    let at = number(at);
    let muted = match what.strip_prefix("muted-until-") {
        Some(until) => Until::new(until.parse().expect("a time")).expect("a time"),
        None if what == "muted" => Until::FOR_EVER,
        None => Until::NEVER,
    };
    if who == "all" {
        return RuleNotice { standings: Vec::new(), all: Some(MutedAll { until: muted, at }) };
    }
    let member = (what != "out").then_some(MemberRule { role: Role::Normal, muted });
    RuleNotice { standings: vec![Standing { user: user(who), member, at }], all: None }
}

impl Script {
    /// What the store says of groups that are run.
    pub fn answer_of_groups(
        &mut self,
        word: &str,
        rest: &str,
        asked: Option<&StoreRequest>,
    ) -> Option<StoreReply> {
        Some(match (word, asked) {
            ("ruled", Some(StoreRequest::RuleGroup { user, group, rule, row, cid })) => {
                let fresh = !rest.starts_with("again");
                let pos = rest.trim_start_matches("again ").parse().ok();
                let (whom, what) = match rule {
                    GroupRule::Role { user, role } => (Some(*user), What::Role(*role)),
                    GroupRule::Kick { user, ban } => (Some(*user), What::Kicked(*ban)),
                    GroupRule::Mute { user, until } => (Some(*user), What::Muted(*until)),
                    GroupRule::MuteAll { until } => (None, What::Muted(*until)),
                    GroupRule::Set { name, desc, join } => {
                        (None, What::Set { name: name.as_deref(), desc: desc.as_deref(), join: *join })
                    }
                    GroupRule::Answer { user, yes: true } => (Some(*user), What::Joined),
                    GroupRule::Answer { user, yes: false } => (Some(*user), What::Refused),
                };
                let body = event(*user, *group, whom, what);
                let (sender, target, durability) = (*user, Target::Group(*group), Durability::Always);
                let cid = cid.as_deref().unwrap_or_default();
                let message =
                    Message { sender, target, mid: row.mid, ts: row.ts, cid, durability, body: &body };
                let placed =
                    |pos| Placed { envelope: sealed(message).placed(pos), pos, state: RowState::AsSaid };
                let member = |muted, role| Some(MemberRule { role, muted });
                let member = match rule {
                    GroupRule::Kick { .. } | GroupRule::Answer { yes: false, .. } => None,
                    GroupRule::Mute { until, .. } => member(*until, Role::Normal),
                    GroupRule::Role { role, .. } => member(Until::NEVER, *role),
                    GroupRule::MuteAll { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. } => {
                        member(Until::NEVER, Role::Normal)
                    }
                };
                let at = pos.unwrap_or(0);
                let standings = whom.map(|user| Standing { user, member, at }).into_iter().collect();
                let all = match rule {
                    GroupRule::MuteAll { until } => Some(MutedAll { until: *until, at }),
                    _ => None,
                };
                StoreReply::Ruled(Ruled { row: pos.map(placed), fresh, standings, all })
            }
            ("entered", Some(StoreRequest::AddGroup { user, group, row: Some(row) })) => {
                let (_, pos) = rest.split_once(" at ").expect("which group and which place");
                let (pos, body) = (number(pos), event(*user, *group, None, What::Joined));
                let (sender, target, durability) = (*user, Target::Group(*group), Durability::Always);
                let message =
                    Message { sender, target, mid: row.mid, ts: row.ts, cid: "", durability, body: &body };
                let row =
                    Some(Placed { envelope: sealed(message).placed(pos), pos, state: RowState::AsSaid });
                let (muted, all) = (Until::NEVER, MutedAll::default());
                StoreReply::Joined(Joined { group: *group, head: pos, row, muted, all })
            }
            ("asking", _) => {
                let asking = |(id, name): (&str, &str)| Asking {
                    person: Person { id: user(id), name: name.to_owned(), hides: false },
                    ts: Millis(1_700_000_000_000),
                };
                let people = rest.split_whitespace().filter_map(|entry| entry.split_once('='));
                StoreReply::Asking(people.map(asking).collect())
            }
            _ => return None,
        })
    }

    /// What another core tells of groups, if the step is that.
    pub fn arrives_of_groups(&mut self, words: &[&str]) -> Option<(Channel, Envelope)> {
        Some(match *words {
            ["group", id, "rule", ref rule @ ..] => {
                let number = self.next_elsewhere();
                let notice = Envelope::group_rule(number, user("9"), group(id), &rule_of(rule));
                (Channel::Group(group(id)), notice)
            }
            ["user", id, "rule", "of", of, ref rule @ ..] => {
                let number = self.next_elsewhere();
                let notice = Envelope::group_rule(number, user("9"), group(of), &rule_of(rule));
                (Channel::User(user(id)), notice)
            }
            ["user", id, "knows"] => {
                let number = self.last_rule.expect("a rule was published");
                (Channel::User(user(id)), Envelope::group_known(number, user(id)))
            }
            ["own", "rule", id] => {
                let number = self.last_rule.expect("a rule was published");
                let notice = Envelope::group_rule(number, user("1"), group(id), &RuleNotice::default());
                (Channel::Group(group(id)), notice)
            }
            ["event", id, "by", by, "joined", "at", pos] => {
                let body = event(user(by), group(id), None, What::Joined);
                let (sender, target, mid) = (user(by), Target::Group(group(id)), self.next_elsewhere());
                let (ts, durability) = (Millis(1_700_000_000_000), Durability::Always);
                let message = Message { sender, target, mid, ts, cid: "", durability, body: &body };
                (Channel::Group(group(id)), sealed(message).placed(number(pos)))
            }
            _ => return None,
        })
    }
}
