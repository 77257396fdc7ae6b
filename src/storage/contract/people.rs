//! Finding and blocking users, members page by page, and what a profile tells of them.

use super::accounts::{NAMES, stranger};
use super::trial::Trial;
use super::{Case, Opener};
use crate::{Order, Outcome};
use chatd_chat::model::group_rule::Until;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Member, Person, Profile, Role, Who};
use chatd_chat::port::store::{Detail, Issue, Left, MembersPage, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "users are found by id and by name", run: users_are_found },
    Case { name: "blocking is one way, once, and bounded", run: blocking_is_one_way },
    Case { name: "whoever blocks somebody hides from it, in every list", run: whoever_blocks_hides },
    Case { name: "members come page by page", run: members_come_page_by_page },
    Case { name: "a profile counts members", run: a_profile_counts_members },
];

fn person(id: UserId, name: &str) -> Person {
    Person { id, name: name.to_owned(), hides: false }
}

fn profile(trial: &mut Trial, user: UserId) -> Profile {
    let proof = trial.proof(user);
    match trial.request(StoreRequest::LoadProfile {
        user,
        proof,
        detail: Detail::Counts,
        issue: Issue::Nothing,
        device: None,
        heads: 0,
    }) {
        Ok(StoreReply::Profile(profile)) => *profile,
        other => panic!("a profile is always given, not {other:?}"),
    }
}

fn users_are_found(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let ids = NAMES.map(|name| trial.user(name));
    for (id, name) in ids.into_iter().zip(NAMES) {
        for who in [Who::Id(id), Who::Name(name.to_owned())] {
            assert_eq!(
                trial.request(StoreRequest::Find { user: ids[0], who: who.clone() }),
                Ok(StoreReply::Found(person(id, name)))
            );
            let found = trial.batch(&[Order::Lookup { who }]).remove(0);
            assert!(matches!(found, Outcome::Found(Some(account)) if account.user == id));
        }
    }
    for who in [Who::Id(stranger()), Who::Name("am".to_owned()), Who::Name(String::new())] {
        assert_eq!(
            trial.request(StoreRequest::Find { user: ids[0], who: who.clone() }),
            Err(Code::NoSuchUser)
        );
        assert_eq!(trial.batch(&[Order::Lookup { who }]), [Outcome::Found(None)]);
    }
}

fn blocking_is_one_way(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { blocked: 2, ..Limits::default() });
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let block = |user, blocked| StoreRequest::Block { user, blocked };
    let unblock = |user, blocked| StoreRequest::Unblock { user, blocked };
    let done = || Ok(StoreReply::Done);
    let replies = trial.requests(vec![
        block(amy, stranger()),
        unblock(amy, ben),
        block(amy, cleo),
        block(amy, cleo),
        block(amy, ben),
        block(amy, dan),
        block(amy, ben),
        unblock(ben, amy),
    ]);
    let no_user = || Err(Code::NoSuchUser);
    let exists = || Err(Code::Exists);
    let expected = [no_user(), no_user(), done(), exists(), done(), Err(Code::TooMany), exists(), no_user()];
    assert_eq!(replies, expected);
    assert_eq!(profile(&mut trial, amy).blocked, [ben, cleo], "by id");
    assert_eq!(profile(&mut trial, ben).blocked, []);
    assert_eq!(trial.requests(vec![unblock(amy, ben), block(amy, dan)]), [done(), done()]);
    assert_eq!(profile(&mut trial, amy).blocked, [cleo, dan]);
}

fn whoever_blocks_hides(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let group = trial.group("g", amy, &[ben, cleo, dan]);
    let add = |user, friend| StoreRequest::AddFriend { user, friend };
    let done = || Ok(StoreReply::Done);
    assert_eq!(trial.requests(vec![add(ben, amy), add(ben, dan), add(cleo, amy)]), [done(), done(), done()]);
    // Amy blocks ben and not cleo; that ben blocks dan hides nobody from ben.
    for (user, blocked) in [(amy, ben), (cleo, ben), (ben, dan)] {
        assert_eq!(trial.request(StoreRequest::Block { user, blocked }), done());
    }
    let of = |people: &[Person]| -> Vec<(UserId, bool)> { people.iter().map(|p| (p.id, p.hides)).collect() };
    let ack_group = |trial: &mut Trial, user: UserId| {
        let Ok(StoreReply::Friends(friends)) = trial.request(StoreRequest::Friends { user }) else {
            panic!("friends are always given")
        };
        let proof = trial.proof(user);
        let detail = Detail::Members;
        let load =
            StoreRequest::LoadProfile { user, proof, detail, issue: Issue::Nothing, device: None, heads: 0 };
        let Ok(StoreReply::Profile(profile)) = trial.request(load) else {
            panic!("a profile is always given")
        };
        assert_eq!(profile.friends, friends);
        let Ok(StoreReply::Members(page)) =
            trial.request(StoreRequest::Members { user, group, after: None, members: 9 })
        else {
            panic!("a member is told")
        };
        assert_eq!(profile.groups[0].members, page.members);
        let Ok(StoreReply::Hidden(hidden)) = trial.request(StoreRequest::Hidden { user }) else {
            panic!("it is always given")
        };
        let members: Vec<Person> = page.members.into_iter().map(|member| member.person).collect();
        for person in friends.iter().chain(&members) {
            let found = trial.request(StoreRequest::Find { user, who: Who::Name(person.name.clone()) });
            assert_eq!(found, Ok(StoreReply::Found(person.clone())));
        }
        (of(&friends), of(&members), hidden)
    };
    let members =
        |hiding: &[UserId]| [amy, ben, cleo, dan].map(|user| (user, hiding.contains(&user))).to_vec();
    assert_eq!(
        ack_group(&mut trial, ben),
        (vec![(amy, true), (dan, false)], members(&[amy, cleo]), vec![amy])
    );
    assert_eq!(ack_group(&mut trial, cleo), (vec![(amy, false)], members(&[]), vec![]));
    assert_eq!(ack_group(&mut trial, dan), (vec![], members(&[ben]), vec![]));
    assert_eq!(trial.request(add(ben, cleo)), Ok(StoreReply::Hidden(vec![cleo])), "added, and hidden");
    assert_eq!(trial.request(add(ben, cleo)), Err(Code::Exists));
    assert_eq!(
        trial.request(StoreRequest::Hidden { user: ben }),
        Ok(StoreReply::Hidden(vec![amy, cleo])),
        "by id"
    );
    assert_eq!(trial.request(StoreRequest::Unblock { user: amy, blocked: ben }), done());
    let friends = vec![(amy, false), (cleo, true), (dan, false)];
    assert_eq!(ack_group(&mut trial, ben), (friends, members(&[cleo]), vec![cleo]));
}

fn members_come_page_by_page(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo, dan] = trial.users(["amy", "ben", "cleo", "dan"]);
    let group = trial.group("g", ben, &[cleo, amy]);
    let other = trial.group("other", dan, &[]);
    let members = |user, group, after, members| StoreRequest::Members { user, group, after, members };
    let nowhere = GroupId::new(77).expect("an id");
    assert_eq!(trial.request(members(amy, nowhere, None, 9)), Err(Code::NoSuchGroup));
    assert_eq!(trial.request(members(dan, group, None, 9)), Err(Code::NotAMember));
    assert_eq!(trial.request(members(amy, other, None, 9)), Err(Code::NotAMember));
    let all = [(amy, "amy", Role::Normal), (ben, "ben", Role::Creator), (cleo, "cleo", Role::Normal)]
        .map(|(id, name, role)| Member { person: person(id, name), role, muted: Until::NEVER });
    for most in 1..=4 {
        let (mut told, mut after) = (Vec::new(), None);
        loop {
            let Ok(StoreReply::Members(MembersPage { members, complete })) =
                trial.request(members(cleo, group, after, most))
            else {
                panic!("a member is told")
            };
            assert!(members.len() == most || complete);
            after = members.last().map(|member| member.person.id);
            told.extend(members);
            if complete {
                break;
            }
        }
        assert_eq!(told, all);
    }
    let none = Ok(StoreReply::Members(MembersPage { members: vec![], complete: true }));
    assert_eq!(trial.request(members(amy, group, Some(cleo), 5)), none);
}

fn a_profile_counts_members(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let one = trial.group("one", amy, &[ben, cleo]);
    let two = trial.group("two", ben, &[amy]);
    let sizes = |profile: &Profile| -> Vec<(GroupId, u64, usize)> {
        profile.groups.iter().map(|group| (group.group, group.size, group.members.len())).collect()
    };
    assert_eq!(sizes(&profile(&mut trial, amy)), [(one, 3, 0), (two, 2, 0)]);
    assert!(trial.request(StoreRequest::AddGroup { user: ben, group: one, row: None }).is_err());
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: cleo, group: one, row: None }),
        Ok(StoreReply::Left(Left { dissolved: false, row: None }))
    );
    assert_eq!(
        trial.request(StoreRequest::DelGroup { user: ben, group: two, row: None }),
        Ok(StoreReply::Left(Left { dissolved: true, row: None }))
    );
    assert_eq!(sizes(&profile(&mut trial, amy)), [(one, 2, 0)]);
    assert_eq!(profile(&mut trial, amy).token, None);
}
