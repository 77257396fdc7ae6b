//! Who is banned or muted finds no way around it.

use super::group_rules::{TS, join, kick, mute, policy, rule, ruled, told};
use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::change::Alteration;
use chatd_chat::model::group_rule::{GroupRule, JoinPolicy, Until};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "who is no member is banned, too", run: who_is_no_member_is_banned },
    Case { name: "the muted change nothing but take back", run: the_muted_change_nothing_but_take_back },
];

/// Whoever leaves in time, or only asks, is banned like a member, and stays out.
fn who_is_no_member_is_banned(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan, eve] = trial.users(["amy", "ben", "cleo", "dan", "eve"]);
    let group = trial.group("g", amy, &[ben, dan]);
    trial.request(StoreRequest::DelGroup { user: ben, group, row: None }).expect("left");
    let (_, body) = told(rule(&mut trial, amy, group, kick(ben, -1)));
    assert!(body.ends_with(",\"until\":-1,\"userid\":2,\"username\":\"ben\",\"what\":\"banned\"}"), "{body}");
    assert_eq!(join(&mut trial, ben, group, TS), Err(Code::NotYours));
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Ask)));
    assert_eq!(join(&mut trial, cleo, group, TS), Ok(StoreReply::Done));
    assert_eq!(
        rule(&mut trial, dan, group, kick(cleo, -1)),
        Err(Code::NotYours),
        "who runs nothing bans nobody"
    );
    ruled(rule(&mut trial, amy, group, kick(cleo, TS as i64 + 1_000)));
    let answer = GroupRule::Answer { user: cleo, yes: true };
    assert_eq!(rule(&mut trial, amy, group, answer), Err(Code::NoSuchUser), "nobody asks any more");
    assert_eq!(join(&mut trial, cleo, group, TS), Err(Code::NotYours));
    assert_eq!(join(&mut trial, cleo, group, TS + 1_000), Ok(StoreReply::Done), "it is over");
    // What would ban nobody is of nobody.
    let stranger = UserId::new(77).expect("an id");
    for (user, ban) in [(stranger, -1), (eve, 0), (eve, TS as i64)] {
        assert_eq!(rule(&mut trial, amy, group, kick(user, ban)), Err(Code::NoSuchUser), "{user} {ban}");
    }
}

/// What is said by editing and reacting is said, too.
fn the_muted_change_nothing_but_take_back(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    for text in ["of amy", "of ben", "also of ben"] {
        trial.post(if text == "of amy" { amy } else { ben }, group, text);
    }
    let alter = |trial: &mut Trial, user: UserId, pos: u64, alteration: Alteration| {
        let (conversation, ts) = (Conversation::Group(group), Millis(2_000));
        let request = StoreRequest::Alter { user, conversation, pos, alteration, cid: None, ts };
        trial.request(request).map(drop)
    };
    let edit = || Alteration::Edit { msg: "shouted".into() };
    let react = |on| Alteration::React { emoji: "shouted, too".into(), on };
    assert_eq!(alter(&mut trial, ben, 1, react(true)), Ok(()));
    for mutes in [mute(ben, -1), GroupRule::MuteAll { until: Until::FOR_EVER }] {
        let ends = if matches!(mutes, GroupRule::Mute { .. }) { mute(ben, 0) } else { unmute_all() };
        ruled(rule(&mut trial, amy, group, mutes));
        assert_eq!(alter(&mut trial, ben, 2, edit()), Err(Code::Muted));
        assert_eq!(alter(&mut trial, ben, 1, react(true)), Err(Code::Muted));
        assert_eq!(alter(&mut trial, ben, 1, react(false)), Err(Code::Muted));
        assert_eq!(alter(&mut trial, ben, 1, edit()), Err(Code::NotYours), "what is another's is so first");
        ruled(rule(&mut trial, amy, group, ends));
        assert_eq!(alter(&mut trial, ben, 2, edit()), Ok(()), "it is over");
    }
    ruled(rule(&mut trial, amy, group, mute(ben, -1)));
    assert_eq!(alter(&mut trial, ben, 3, Alteration::Recall), Ok(()), "one takes back what one said");
    ruled(rule(&mut trial, amy, group, GroupRule::MuteAll { until: Until::FOR_EVER }));
    assert_eq!(alter(&mut trial, amy, 1, edit()), Ok(()), "who runs the group is no normal member");
}

fn unmute_all() -> GroupRule {
    GroupRule::MuteAll { until: Until::NEVER }
}
