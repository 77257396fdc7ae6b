//! How groups are run: who may do what, what holds from then on, and the rows that tell of it.

use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::envelope::Target;
use chatd_chat::model::group_rule::{GroupRule, JoinPolicy, MemberRule, MutedAll, NewRow, Ruled, Until};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Role;
use chatd_chat::port::store::{Joined, Left, StoreReply, StoreRequest, StoreResult};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "one acts on lower ranks only", run: one_acts_on_lower_ranks_only },
    Case { name: "a group has one owner, who hands it over", run: a_group_has_one_owner },
    Case { name: "what the muted say is not stored, until it ends", run: the_muted_are_not_stored },
    Case { name: "all normal members are muted at once", run: all_normal_members_are_muted },
    Case { name: "who leaves stays muted", run: who_leaves_stays_muted },
    Case { name: "who is kicked has nothing of the group and stays out", run: the_kicked_stay_out },
    Case { name: "a group is named and described anew", run: a_group_is_set },
    Case { name: "one asks to join, and is answered", run: one_asks_to_join },
    Case { name: "each change makes one row, once", run: each_change_makes_one_row },
    Case { name: "a row finds another id if its own is taken", run: a_row_finds_another_id },
    Case { name: "joins and leaves make rows", run: joins_and_leaves_make_rows },
    Case { name: "bans and requests are bounded", run: bans_and_requests_are_bounded },
    Case { name: "nothing is ruled in a group that is gone", run: nothing_is_ruled_in_a_group_that_is_gone },
];

pub(super) const TS: u64 = 1_800_000_000_000;

fn until(number: i64) -> Until {
    Until::new(number).expect("a time")
}

fn row(trial: &mut Trial, ts: u64) -> NewRow {
    NewRow { mid: trial.mid(), ts: Millis(ts) }
}

pub(super) fn rule(trial: &mut Trial, user: UserId, group: GroupId, rule: GroupRule) -> StoreResult {
    named(trial, user, group, rule, None)
}

fn named(trial: &mut Trial, user: UserId, group: GroupId, rule: GroupRule, cid: Option<&str>) -> StoreResult {
    let row = row(trial, TS);
    trial.request(StoreRequest::RuleGroup { user, group, rule, row, cid: cid.map(Into::into) })
}

pub(super) fn ruled(result: StoreResult) -> Ruled {
    match result {
        Ok(StoreReply::Ruled(ruled)) => ruled,
        other => panic!("it is done, and not {other:?}"),
    }
}

/// Its place and its body.
pub(super) fn told(result: StoreResult) -> (u64, String) {
    let row = ruled(result).row.expect("it makes a row");
    assert!(row.envelope.is_event());
    assert_eq!(row.envelope.pos(), Some(row.pos));
    (row.pos, String::from_utf8(row.envelope.body().to_vec()).expect("texts"))
}

pub(super) fn join(trial: &mut Trial, user: UserId, group: GroupId, ts: u64) -> StoreResult {
    let row = Some(row(trial, ts));
    trial.request(StoreRequest::AddGroup { user, group, row })
}

fn says(trial: &mut Trial, user: UserId, group: GroupId) -> Result<(), Code> {
    let envelope = trial.message(user, Target::Group(group), "", "hello");
    trial.store(&envelope).map(drop)
}

fn role(user: UserId, role: Role) -> GroupRule {
    GroupRule::Role { user, role }
}

pub(super) fn kick(user: UserId, ban: i64) -> GroupRule {
    GroupRule::Kick { user, ban: until(ban) }
}

pub(super) fn mute(user: UserId, ends: i64) -> GroupRule {
    GroupRule::Mute { user, until: until(ends) }
}

pub(super) fn policy(join: JoinPolicy) -> GroupRule {
    GroupRule::Set { name: None, desc: None, join: Some(join) }
}

fn one_acts_on_lower_ranks_only(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan, eve] = trial.users(["amy", "ben", "cleo", "dan", "eve"]);
    let group = trial.group("g", amy, &[ben, cleo, dan]);
    let nowhere = GroupId::new(77).expect("an id");
    let nobody = UserId::new(77).expect("an id");
    ruled(rule(&mut trial, amy, group, role(ben, Role::Admin)));
    ruled(rule(&mut trial, amy, group, role(cleo, Role::Admin)));
    let all = GroupRule::MuteAll { until: Until::FOR_EVER };
    let set = || policy(JoinPolicy::Closed);
    for refused in [role(dan, Role::Admin), kick(cleo, 0), kick(amy, 0), mute(cleo, -1), mute(amy, -1)] {
        assert_eq!(rule(&mut trial, ben, group, refused.clone()), Err(Code::NotYours), "{refused:?}");
    }
    for refused in [role(ben, Role::Normal), kick(ben, 0), mute(amy, -1), all.clone(), set()] {
        assert_eq!(rule(&mut trial, dan, group, refused.clone()), Err(Code::NotYours), "{refused:?}");
        assert_eq!(rule(&mut trial, eve, group, refused.clone()), Err(Code::NotAMember), "{refused:?}");
        assert_eq!(rule(&mut trial, amy, nowhere, refused), Err(Code::NoSuchGroup));
    }
    for (unknown, ban) in [(eve, 0), (nobody, -1)] {
        for refused in [role(unknown, Role::Admin), kick(unknown, ban), mute(unknown, -1)] {
            assert_eq!(rule(&mut trial, amy, group, refused.clone()), Err(Code::NoSuchUser), "{refused:?}");
        }
    }
    let request = |user| StoreRequest::JoinRequests { user, group };
    assert_eq!(trial.request(request(ben)), Ok(StoreReply::Asking(vec![])));
    assert_eq!(trial.request(request(dan)), Err(Code::NotYours));
    assert_eq!(trial.request(request(eve)), Err(Code::NotAMember));
    for done in [mute(dan, -1), mute(dan, 0), kick(dan, 0)] {
        ruled(rule(&mut trial, ben, group, done));
    }
    for done in [mute(cleo, -1), kick(cleo, 0), role(ben, Role::Normal)] {
        ruled(rule(&mut trial, amy, group, done));
    }
    assert_eq!(rule(&mut trial, ben, group, set()), Err(Code::NotYours), "an admin no more");
}

fn a_group_has_one_owner(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let handed = ruled(rule(&mut trial, amy, group, role(ben, Role::Creator)));
    let at = handed.row.expect("a row").pos;
    let standings: Vec<_> =
        handed.standings.iter().map(|standing| (standing.user, standing.member, standing.at)).collect();
    let is = |role| Some(MemberRule::of(role));
    assert_eq!(standings, [(ben, is(Role::Creator), at), (amy, is(Role::Admin), at)]);
    assert_eq!(rule(&mut trial, amy, group, role(ben, Role::Normal)), Err(Code::NotYours));
    // An admin leaves, the owner dissolves.
    let leave = |user| StoreRequest::DelGroup { user, group, row: None };
    assert_eq!(trial.request(leave(amy)), Ok(StoreReply::Left(Left { dissolved: false, row: None })));
    assert_eq!(trial.request(leave(ben)), Ok(StoreReply::Left(Left { dissolved: true, row: None })));
}

fn the_muted_are_not_stored(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let before = trial.message(ben, Target::Group(group), "c1", "before");
    let stored = trial.store(&before);
    ruled(rule(&mut trial, amy, group, mute(ben, -1)));
    assert_eq!(says(&mut trial, ben, group), Err(Code::Muted));
    assert_eq!(says(&mut trial, amy, group), Ok(()));
    assert_eq!(trial.store(&before), stored, "what was acknowledged stays so");
    ruled(rule(&mut trial, amy, group, mute(ben, 0)));
    assert_eq!(says(&mut trial, ben, group), Ok(()));
    // It counts when a message was said, by the clock of its core.
    let late = trial.message(ben, Target::Group(group), "", "late");
    let ts = late.ts().0 as i64;
    ruled(rule(&mut trial, amy, group, mute(ben, ts + 1)));
    assert_eq!(trial.store(&late), Err(Code::Muted));
    ruled(rule(&mut trial, amy, group, mute(ben, ts)));
    assert!(trial.store(&late).is_ok(), "it is over");
}

fn all_normal_members_are_muted(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben, cleo]);
    ruled(rule(&mut trial, amy, group, role(cleo, Role::Admin)));
    let muted = ruled(rule(&mut trial, cleo, group, GroupRule::MuteAll { until: Until::FOR_EVER }));
    let at = muted.row.expect("a row").pos;
    assert_eq!(muted.all, Some(MutedAll { until: Until::FOR_EVER, at }));
    assert_eq!(says(&mut trial, ben, group), Err(Code::Muted));
    assert_eq!(says(&mut trial, amy, group), Ok(()));
    assert_eq!(says(&mut trial, cleo, group), Ok(()));
    ruled(rule(&mut trial, amy, group, role(cleo, Role::Normal)));
    assert_eq!(says(&mut trial, cleo, group), Err(Code::Muted));
    ruled(rule(&mut trial, amy, group, GroupRule::MuteAll { until: Until::NEVER }));
    assert_eq!(says(&mut trial, ben, group), Ok(()));
}

fn who_leaves_stays_muted(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    ruled(rule(&mut trial, amy, group, mute(ben, -1)));
    trial.request(StoreRequest::DelGroup { user: ben, group, row: None }).expect("left");
    let Ok(StoreReply::Joined(Joined { muted, .. })) = join(&mut trial, ben, group, TS) else {
        panic!("it may join")
    };
    assert_eq!(muted, Until::FOR_EVER);
    assert_eq!(says(&mut trial, ben, group), Err(Code::Muted));
    // A ban that is over leaves the mute as it is.
    ruled(rule(&mut trial, amy, group, kick(ben, TS as i64)));
    assert!(join(&mut trial, ben, group, TS).is_ok());
    assert_eq!(says(&mut trial, ben, group), Err(Code::Muted));
}

fn the_kicked_stay_out(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben, cleo]);
    trial.post(amy, group, "one");
    let (two, _) = trial.post(amy, group, "two");
    trial.ack_group(ben, group, 0, &[two]);
    let kicked = ruled(rule(&mut trial, amy, group, kick(ben, TS as i64 + 1)));
    let at = kicked.row.expect("a row").pos;
    assert_eq!(
        kicked.standings.iter().map(|s| (s.user, s.member, s.at)).collect::<Vec<_>>(),
        [(ben, None, at)]
    );
    assert_eq!(says(&mut trial, ben, group), Err(Code::NotAMember));
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0], "nothing of it waits any more");
    assert_eq!(trial.fetch(ben).heads, []);
    assert_eq!(join(&mut trial, ben, group, TS), Err(Code::NotYours));
    assert!(join(&mut trial, ben, group, TS + 1).is_ok(), "it is over");
    ruled(rule(&mut trial, amy, group, kick(ben, -1)));
    assert_eq!(join(&mut trial, ben, group, TS + 1_000), Err(Code::NotYours));
    let (_, body) = told(rule(&mut trial, amy, group, kick(ben, 0)));
    assert!(body.ends_with(",\"until\":0,\"userid\":2,\"username\":\"ben\",\"what\":\"banned\"}"), "{body}");
    assert_eq!(rule(&mut trial, amy, group, kick(ben, 0)), Err(Code::NoSuchUser), "no member, not banned");
    assert!(join(&mut trial, ben, group, TS).is_ok());
    ruled(rule(&mut trial, amy, group, kick(cleo, 0)));
    assert!(join(&mut trial, cleo, group, TS).is_ok(), "without a ban one may come back");
}

fn a_group_is_set(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("tea", amy, &[ben]);
    trial.group("boats", amy, &[]);
    let set = |name: Option<&str>, desc: Option<&str>| GroupRule::Set {
        name: name.map(Into::into),
        desc: desc.map(Into::into),
        join: None,
    };
    assert_eq!(rule(&mut trial, amy, group, set(Some("BOATS"), None)), Err(Code::Exists));
    let (_, body) = told(rule(&mut trial, amy, group, set(Some("TEA"), Some("at \"five\""))));
    assert_eq!(
        body,
        format!(
            "{{\"by\":1,\"groupdesc\":\"at \\\"five\\\"\",\"groupid\":{group},\"groupname\":\"TEA\",\"msgid\":51,\
             \"name\":\"amy\",\"what\":\"set\"}}"
        )
    );
    ruled(rule(&mut trial, amy, group, set(Some("coffee"), None)));
    let create = |name: &str| StoreRequest::CreateGroup { user: ben, name: name.into(), desc: String::new() };
    assert_eq!(trial.request(create("Coffee")), Err(Code::Exists));
    assert!(trial.request(create("tea")).is_ok(), "the old name is free");
    assert_eq!(join(&mut trial, ben, group, TS), Err(Code::Exists), "a member is one all the same");
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Closed)));
    let cleo = trial.user("cleo");
    assert_eq!(join(&mut trial, cleo, group, TS), Err(Code::NotYours));
}

fn one_asks_to_join(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let group = trial.group("g", amy, &[]);
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Ask)));
    let answer = |user, yes| GroupRule::Answer { user, yes };
    assert_eq!(rule(&mut trial, amy, group, answer(ben, true)), Err(Code::NoSuchUser));
    assert_eq!(join(&mut trial, cleo, group, TS), Ok(StoreReply::Done), "it asks");
    assert_eq!(join(&mut trial, ben, group, TS + 1), Ok(StoreReply::Done));
    assert_eq!(join(&mut trial, ben, group, TS + 2), Err(Code::Pending), "it has asked");
    let Ok(StoreReply::Asking(asking)) = trial.request(StoreRequest::JoinRequests { user: amy, group })
    else {
        panic!("who runs it is told")
    };
    let asking: Vec<_> =
        asking.iter().map(|asking| (asking.person.id, asking.person.name.as_str(), asking.ts.0)).collect();
    assert_eq!(asking, [(cleo, "cleo", TS), (ben, "ben", TS + 1)]);
    let (pos, body) = told(named(&mut trial, amy, group, answer(ben, true), Some("yes")));
    assert!(body.ends_with("\"userid\":2,\"username\":\"ben\",\"what\":\"joined\"}"), "{body}");
    assert_eq!(told(named(&mut trial, amy, group, answer(ben, true), Some("yes"))).0, pos);
    let late = ruled(rule(&mut trial, amy, group, answer(ben, true)));
    assert_eq!((late.row, late.fresh), (None, false), "it is a member by now");
    let refused = ruled(rule(&mut trial, amy, group, answer(cleo, false)));
    assert_eq!((refused.row, refused.fresh), (None, true));
    let again = ruled(rule(&mut trial, amy, group, answer(cleo, false)));
    assert_eq!((again.row, again.fresh), (None, false));
    assert_eq!(
        trial.request(StoreRequest::JoinRequests { user: amy, group }),
        Ok(StoreReply::Asking(vec![]))
    );
    assert_eq!(says(&mut trial, ben, group), Ok(()));
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0], "what was before it joined is not for it");
    assert_eq!(says(&mut trial, cleo, group), Err(Code::NotAMember));
    // Who asked joins once anybody may, and asks no more.
    assert_eq!(join(&mut trial, dan, group, TS), Ok(StoreReply::Done));
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Open)));
    assert!(matches!(join(&mut trial, dan, group, TS), Ok(StoreReply::Joined(_))));
    assert_eq!(
        trial.request(StoreRequest::JoinRequests { user: amy, group }),
        Ok(StoreReply::Asking(vec![]))
    );
}

fn each_change_makes_one_row(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    trial.post(amy, group, "one");
    let first = ruled(named(&mut trial, amy, group, role(ben, Role::Admin), Some("k1")));
    let placed = first.row.clone().expect("a row");
    assert_eq!((placed.pos, first.fresh, placed.envelope.cid(), placed.envelope.ts().0), (2, true, "k1", TS));
    let again = ruled(named(&mut trial, amy, group, role(ben, Role::Admin), Some("k1")));
    assert_eq!(again, Ruled { fresh: false, ..first });
    for other in [role(ben, Role::Normal), mute(ben, -1)] {
        assert_eq!(named(&mut trial, amy, group, other, Some("k1")), Err(Code::CidReused));
    }
    // It is one space with messages.
    let message = trial.message(amy, Target::Group(group), "k1", "text");
    assert_eq!(trial.store(&message), Err(Code::CidReused));
    let message = trial.message(amy, Target::Group(group), "k2", "text");
    assert!(trial.store(&message).is_ok());
    assert_eq!(named(&mut trial, amy, group, mute(ben, -1), Some("k2")), Err(Code::CidReused));
    // Of another user it is another.
    let all = || GroupRule::MuteAll { until: Until::NEVER };
    assert_eq!(told(named(&mut trial, ben, group, all(), Some("k1"))).0, 4);
    // Also what nobody who is in the group any more has done, and by whom it was done.
    ruled(named(&mut trial, amy, group, kick(ben, -1), Some("k3")));
    assert_eq!(told(named(&mut trial, ben, group, all(), Some("k1"))).0, 4);
    assert_eq!(told(named(&mut trial, amy, group, kick(ben, -1), Some("k3"))).0, 5);
    let said = trial.history(amy, Conversation::Group(group));
    let places: Vec<u64> = said.messages.iter().map(|message| message.pos).collect();
    assert_eq!(places, [1, 2, 3, 4, 5]);
    let events: Vec<bool> = said.messages.iter().map(|message| message.envelope.is_event()).collect();
    assert_eq!(events, [false, true, false, true, true]);
}

fn a_row_finds_another_id(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[ben]);
    let (mid, _) = trial.post(ben, group, "one");
    let row = NewRow { mid, ts: Millis(TS) };
    let rule = GroupRule::MuteAll { until: Until::NEVER };
    let placed = ruled(trial.request(StoreRequest::RuleGroup { user: amy, group, rule, row, cid: None })).row;
    let placed = placed.expect("a row");
    assert_ne!(placed.envelope.mid(), mid);
    assert_eq!((placed.envelope.mid().core(), placed.pos), (mid.core(), 2));
}

fn joins_and_leaves_make_rows(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let group = trial.group("g", amy, &[]);
    let Ok(StoreReply::Joined(Joined { head, row: Some(joined), .. })) = join(&mut trial, ben, group, TS)
    else {
        panic!("it joins")
    };
    assert_eq!((head, joined.pos, joined.envelope.sender()), (1, 1, ben));
    let body = std::str::from_utf8(joined.envelope.body()).expect("texts");
    assert_eq!(
        body,
        format!("{{\"by\":2,\"groupid\":{group},\"msgid\":51,\"name\":\"ben\",\"what\":\"joined\"}}")
    );
    assert_eq!(trial.fetch(amy).places(), [(joined.envelope.mid().0, Some(1))]);
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
    let row = Some(row(&mut trial, TS));
    let Ok(StoreReply::Left(Left { dissolved: false, row: Some(left) })) =
        trial.request(StoreRequest::DelGroup { user: ben, group, row })
    else {
        panic!("it leaves")
    };
    assert_eq!(left.pos, 2);
    assert!(left.envelope.body().ends_with(b"\"what\":\"left\"}"));
    let row = Some(self::row(&mut trial, TS));
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: amy, group, row }),
        Ok(StoreReply::Left(Left { dissolved: true, row: None }))
    );
}

fn bans_and_requests_are_bounded(open: &mut Opener<'_>) {
    let limits = Limits { group_bans: 1, join_requests: 1, ..Limits::default() };
    let mut trial = Trial::with(open, &limits);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let group = trial.group("g", amy, &[ben, cleo]);
    ruled(rule(&mut trial, amy, group, kick(ben, TS as i64 + 1)));
    assert_eq!(rule(&mut trial, amy, group, kick(cleo, -1)), Err(Code::TooMany));
    assert_eq!(says(&mut trial, cleo, group), Ok(()), "what was refused left nothing behind");
    ruled(rule(&mut trial, amy, group, kick(ben, TS as i64)));
    ruled(rule(&mut trial, amy, group, kick(cleo, -1)));
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Ask)));
    assert_eq!(join(&mut trial, ben, group, TS), Ok(StoreReply::Done));
    assert_eq!(join(&mut trial, dan, group, TS), Err(Code::TooMany));
    assert_eq!(join(&mut trial, ben, group, TS), Err(Code::Pending));
}

fn nothing_is_ruled_in_a_group_that_is_gone(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben]);
    ruled(named(&mut trial, amy, group, kick(ben, -1), Some("k1")));
    ruled(rule(&mut trial, amy, group, policy(JoinPolicy::Ask)));
    assert_eq!(join(&mut trial, cleo, group, TS), Ok(StoreReply::Done));
    trial.request(StoreRequest::DelGroup { user: amy, group, row: None }).expect("dissolved");
    for user in [amy, ben] {
        assert_eq!(rule(&mut trial, user, group, mute(cleo, -1)), Err(Code::NoSuchGroup));
        assert_eq!(trial.request(StoreRequest::JoinRequests { user, group }), Err(Code::NoSuchGroup));
    }
    // Once more, until all that is left of it is swept.
    for _ in 0..4 {
        trial.batch(&[]);
    }
    let again = trial.group("g", ben, &[]);
    assert_eq!(rule(&mut trial, ben, again, kick(cleo, 0)), Err(Code::NoSuchUser));
}
