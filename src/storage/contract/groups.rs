//! Groups and profiles.

use super::accounts::{ALIKE, NAMES};
use super::trial::Trial;
use super::{Case, Opener};
use crate::{Order, PROFILE_ENTRIES};
use chatd_chat::model::group_rule::{JoinPolicy, MemberRule, MutedAll, Until};
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Member, Membership, Person, Profile, Role};
use chatd_chat::port::store::{Detail, Issue, Left, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "groups are made, joined and left", run: groups_are_made_joined_and_left },
    Case { name: "group names are kept and are one as those of users", run: group_names_are_those_of_users },
    Case { name: "groups and members are bounded", run: groups_and_members_are_bounded },
    Case { name: "a dissolved group is gone", run: a_dissolved_group_is_gone },
    Case { name: "a profile shows friends, groups and members", run: a_profile_shows_all },
    Case { name: "a profile leaves members out, never groups", run: a_profile_leaves_members_out },
];

fn create(trial: &mut Trial, user: UserId, name: &str) -> Result<StoreReply, Code> {
    trial.request(StoreRequest::CreateGroup { user, name: name.to_owned(), desc: String::new() })
}

fn profile(trial: &mut Trial, user: UserId) -> Profile {
    let proof = trial.proof(user);
    match trial.request(StoreRequest::LoadProfile {
        user,
        proof,
        detail: Detail::Members,
        issue: Issue::Nothing,
        device: None,
        heads: 0,
    }) {
        Ok(StoreReply::Profile(profile)) => *profile,
        other => panic!("a profile is always given, not {other:?}"),
    }
}

fn groups_are_made_joined_and_left(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let nowhere = GroupId::new(77).expect("an id");
    let group = trial.group("g", amy, &[]);
    for request in [
        StoreRequest::AddGroup { user: amy, group: nowhere, row: None },
        StoreRequest::DelGroup { user: amy, group: nowhere, row: None },
        StoreRequest::CheckMembership { user: amy, group: nowhere },
    ] {
        assert_eq!(trial.request(request), Err(Code::NoSuchGroup));
    }
    for request in [
        StoreRequest::DelGroup { user: ben, group, row: None },
        StoreRequest::CheckMembership { user: ben, group },
    ] {
        assert_eq!(trial.request(request), Err(Code::NotAMember));
    }
    assert_eq!(trial.join(ben, group), 0);
    assert_eq!(trial.request(StoreRequest::AddGroup { user: ben, group, row: None }), Err(Code::Exists));
    assert_eq!(trial.request(StoreRequest::AddGroup { user: amy, group, row: None }), Err(Code::Exists));
    assert_eq!(trial.request(StoreRequest::CheckMembership { user: ben, group }), Ok(StoreReply::Done));
    trial.post(amy, group, "one");
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: ben, group, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    assert_eq!(trial.request(StoreRequest::DelGroup { user: ben, group, row: None }), Err(Code::NotAMember));
    trial.post(amy, group, "two");
    assert_eq!(trial.join(ben, group), 2, "who joins again begins at the head");
    assert_eq!(trial.fetch(ben).mids(), [0_u64; 0]);
}

fn group_names_are_those_of_users(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    for name in NAMES {
        trial.group(name, amy, &[]);
    }
    for name in NAMES {
        assert_eq!(create(&mut trial, amy, name), Err(Code::Exists), "{name:?} is taken");
    }
    let names: Vec<String> = profile(&mut trial, amy).groups.into_iter().map(|group| group.name).collect();
    assert_eq!(names, NAMES);
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    for alike in ALIKE {
        let group = trial.group(alike[0], amy, &[]);
        for name in alike {
            assert_eq!(create(&mut trial, amy, name), Err(Code::Exists), "{name:?} is {:?}", alike[0]);
        }
        assert_eq!(
            trial.request(StoreRequest::DelGroup { user: amy, group, row: None }),
            Ok(StoreReply::Left(Left { dissolved: true, row: None }))
        );
        trial.group(alike[1], amy, &[]);
    }
}

fn groups_and_members_are_bounded(open: &mut Opener<'_>) {
    let limits = Limits { groups: 2, members: 3, ..Limits::default() };
    let mut trial = Trial::with(open, &limits);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let full = trial.group("full", amy, &[ben, cleo]);
    assert_eq!(
        trial.request(StoreRequest::AddGroup { user: dan, group: full, row: None }),
        Err(Code::TooMany)
    );
    assert_eq!(
        trial.request(StoreRequest::AddGroup { user: ben, group: full, row: None }),
        Err(Code::Exists)
    );
    trial.group("second", amy, &[]);
    let third = trial.group("third", dan, &[]);
    assert_eq!(create(&mut trial, amy, "fourth"), Err(Code::TooMany));
    assert_eq!(create(&mut trial, amy, "third"), Err(Code::Exists));
    assert_eq!(
        trial.request(StoreRequest::AddGroup { user: amy, group: third, row: None }),
        Err(Code::TooMany)
    );
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: cleo, group: full, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    trial.join(dan, full);
    assert_eq!(profile(&mut trial, amy).groups.len(), 2, "what was refused left nothing behind");
}

fn a_dissolved_group_is_gone(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let group = trial.group("g", amy, &[ben, cleo]);
    trial.post(amy, group, "one");
    trial.post(ben, group, "two");
    let stored = trial.tell(amy, ben, "not of the group");
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: cleo, group, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: amy, group, row: None }),
        Ok(StoreReply::Left(Left { dissolved: true, row: None }))
    );
    for request in [
        StoreRequest::AddGroup { user: ben, group, row: None },
        StoreRequest::DelGroup { user: amy, group, row: None },
        StoreRequest::CheckMembership { user: ben, group },
    ] {
        assert_eq!(trial.request(request), Err(Code::NoSuchGroup));
    }
    let late = trial.message(ben, chatd_chat::model::envelope::Target::Group(group), "", "late");
    assert_eq!(trial.store(&late), Err(Code::NoSuchGroup));
    assert_eq!(trial.fetch(ben).mids(), [stored.0]);
    assert_eq!(trial.fetch(ben).heads, []);
    assert_eq!(trial.fetch(cleo).mids(), [0_u64; 0]);
    for user in [amy, ben, cleo] {
        assert_eq!(profile(&mut trial, user).groups, []);
    }
    let again = trial.group("g", ben, &[amy]);
    assert_ne!(again, group, "an id is never used twice");
    assert_eq!(trial.post(amy, again, "anew").1, 1);
}

fn a_profile_shows_all(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    assert_eq!(profile(&mut trial, amy), Profile::default());
    assert_eq!(trial.request(StoreRequest::AddFriend { user: amy, friend: cleo }), Ok(StoreReply::Done));
    let one = trial.group("one", ben, &[amy]);
    let two = trial.group("two", amy, &[]);
    trial.post(ben, one, "hello");
    trial.ack_group(amy, one, 1, &[]);
    let person = |id, name: &str| Person { id, name: name.to_owned(), hides: false };
    let member = |id, name: &str, role| Member { person: person(id, name), role, muted: Until::NEVER };
    let expected = Profile {
        friends: vec![person(cleo, "cleo")],
        groups: vec![
            Membership {
                group: one,
                name: "one".to_owned(),
                desc: "about one".to_owned(),
                members: vec![member(amy, "amy", Role::Normal), member(ben, "ben", Role::Creator)],
                size: 2,
                cursor: 1,
                join: JoinPolicy::Open,
                standing: MemberRule::of(Role::Normal),
                at: 0,
                all: MutedAll::default(),
            },
            Membership {
                group: two,
                name: "two".to_owned(),
                desc: "about two".to_owned(),
                members: vec![member(amy, "amy", Role::Creator)],
                size: 1,
                cursor: 0,
                join: JoinPolicy::Open,
                standing: MemberRule::of(Role::Creator),
                at: 0,
                all: MutedAll::default(),
            },
        ],
        ..Profile::default()
    };
    assert_eq!(profile(&mut trial, amy), expected);
}

fn a_profile_leaves_members_out(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let large = trial.group("large", amy, &[]);
    let small = trial.group("small", amy, &[]);
    let enrolments: Vec<Order> = (0..PROFILE_ENTRIES + 100)
        .map(|number| Order::Enroll { name: format!("user {number}"), hash: String::new() })
        .collect();
    let joining: Vec<StoreRequest> = trial
        .batch(&enrolments)
        .into_iter()
        .map(|outcome| match outcome {
            crate::Outcome::Reply(Ok(StoreReply::Registered(user))) => {
                StoreRequest::AddGroup { user, group: large, row: None }
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(trial.requests(joining).iter().all(Result::is_ok));
    let profile = profile(&mut trial, amy);
    let [first, second] = &profile.groups[..] else { panic!("both groups are there") };
    assert_eq!((first.group, second.group), (large, small));
    let members = first.members.len() + second.members.len();
    assert!(members > PROFILE_ENTRIES / 2 && members <= PROFILE_ENTRIES, "{members} members");
    assert!(first.members.is_sorted_by_key(|member| member.person.id));
}
