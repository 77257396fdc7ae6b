//! What the server's API does with accounts.

use super::trial::Trial;
use super::{Case, Opener};
use chatd_chat::model::act::{AccountAct, AccountName, AccountRecord};
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::token::{Secret, Token, TokenId};
use chatd_chat::port::store::{StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "an account is made once and shut out", run: an_account_is_made_once },
    Case { name: "tokens of an account are issued and end", run: tokens_are_issued_and_end },
    Case {
        name: "what is issued under one name is one token",
        run: what_is_issued_under_one_name_is_one_token,
    },
    Case { name: "groups of an account are named", run: groups_are_named },
    Case { name: "who is erased is nobody any more", run: who_is_erased_is_nobody },
];

fn external(name: &str) -> AccountName {
    AccountName::External(name.into())
}

fn act(trial: &mut Trial, act: AccountAct) -> Result<StoreReply, Code> {
    trial.request(StoreRequest::Account(act))
}

fn put(trial: &mut Trial, who: AccountName, name: Option<&str>, disabled: Option<bool>) -> AccountRecord {
    match act(trial, AccountAct::Put { who, name: name.map(Into::into), disabled }) {
        Ok(StoreReply::Account(account)) => account,
        other => panic!("{other:?}"),
    }
}

fn issue(trial: &mut Trial, user: UserId) -> Result<Token, Code> {
    issue_as(trial, user, None).map(|(token, _)| token)
}

/// A token that is issued under this name, and the one in whose place it is.
fn issue_as(trial: &mut Trial, user: UserId, cid: Option<&str>) -> Result<(Token, Option<TokenId>), Code> {
    let (device, cid) = (Some("phone".into()), cid.map(Into::into));
    match act(trial, AccountAct::IssueToken { user, device, cid })? {
        StoreReply::Issued(token) => Ok((token, None)),
        StoreReply::Reissued(token, before) => Ok((token, Some(before))),
        other => panic!("{other:?}"),
    }
}

fn is_good(trial: &mut Trial, secret: &Secret) -> bool {
    trial.request(StoreRequest::Resume { secret: secret.clone(), device: None }).is_ok()
}

fn groups(trial: &mut Trial, user: UserId, owned: Option<&str>) -> Vec<GroupId> {
    match act(trial, AccountAct::Groups { user, owned: owned.map(Into::into) }) {
        Ok(StoreReply::Groups(groups)) => groups,
        other => panic!("{other:?}"),
    }
}

fn create(trial: &mut Trial, user: UserId, name: &str) -> GroupId {
    let (name, desc) = (name.to_owned(), String::new());
    match trial.request(StoreRequest::CreateGroup { user, name, desc }) {
        Ok(StoreReply::Joined(joined)) => joined.group,
        other => panic!("{other:?}"),
    }
}

fn an_account_is_made_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = put(&mut trial, external("u-1"), Some("Amy"), None);
    assert_eq!((amy.name.as_str(), amy.external.as_deref(), amy.disabled), ("Amy", Some("u-1"), false));
    assert_eq!(put(&mut trial, external("u-1"), Some("Amelia"), None), amy);
    assert_eq!(put(&mut trial, external("u-2"), Some("AMY"), None).name, "AMY-2");
    let ben = put(&mut trial, AccountName::Name("Ben".into()), None, None);
    assert_eq!((ben.name.as_str(), ben.external.as_deref()), ("Ben", None));
    assert_eq!(put(&mut trial, AccountName::Name("BEN".into()), None, None), ben);
    assert_eq!(trial.lookup(ben.user), None, "nobody can guess what is not there");
    let shut = put(&mut trial, AccountName::Id(amy.user), None, Some(true));
    assert_eq!(shut, AccountRecord { disabled: true, ..amy.clone() });
    let found = act(&mut trial, AccountAct::Find(external("u-1")));
    assert_eq!(found, Ok(StoreReply::Account(shut)));
    assert_eq!(put(&mut trial, AccountName::Id(amy.user), None, Some(false)), amy);
    let nobody = AccountName::Id(UserId::new(999).expect("an id"));
    let refused = act(&mut trial, AccountAct::Put { who: nobody.clone(), name: None, disabled: None });
    assert_eq!(refused, Err(Code::NoSuchUser));
    assert_eq!(act(&mut trial, AccountAct::Find(nobody)), Err(Code::NoSuchUser));
}

fn tokens_are_issued_and_end(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = put(&mut trial, external("u-1"), Some("Amy"), None).user;
    let (one, other) = (issue(&mut trial, amy).expect("a token"), issue(&mut trial, amy).expect("a token"));
    assert!(is_good(&mut trial, &one.secret) && is_good(&mut trial, &other.secret));
    assert_eq!(act(&mut trial, AccountAct::RevokeTokens(amy)), Ok(StoreReply::Done));
    assert!(!is_good(&mut trial, &one.secret) && !is_good(&mut trial, &other.secret));
    let next = issue(&mut trial, amy).expect("a token");
    put(&mut trial, AccountName::Id(amy), None, Some(true));
    assert!(!is_good(&mut trial, &next.secret));
    assert_eq!(issue(&mut trial, amy).err(), Some(Code::NotYours));
    put(&mut trial, AccountName::Id(amy), None, Some(false));
    assert!(!is_good(&mut trial, &next.secret), "what ended does not come back");
    let nobody = UserId::new(999).expect("an id");
    assert_eq!(issue(&mut trial, nobody).err(), Some(Code::NoSuchUser));
    assert_eq!(act(&mut trial, AccountAct::RevokeTokens(nobody)), Err(Code::NoSuchUser));
}

fn what_is_issued_under_one_name_is_one_token(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, ben) = (trial.user("amy"), trial.user("ben"));
    let (one, before) = issue_as(&mut trial, amy, Some("c-1")).expect("a token");
    assert_eq!(before, None);
    let (other, unnamed) = (issue_as(&mut trial, amy, Some("C-1")).expect("a token"), issue(&mut trial, amy));
    assert_eq!(other.1, None, "it is another name");
    assert_eq!(issue_as(&mut trial, ben, Some("c-1")).expect("a token").1, None, "it is somebody else");
    let (again, before) = issue_as(&mut trial, amy, Some("c-1")).expect("a token");
    assert_eq!(before, Some(one.id));
    assert!(!is_good(&mut trial, &one.secret) && is_good(&mut trial, &again.secret));
    assert!(is_good(&mut trial, &other.0.secret) && is_good(&mut trial, &unnamed.expect("a token").secret));
    // What was revoked is not there to be replaced.
    assert_eq!(act(&mut trial, AccountAct::RevokeTokens(amy)), Ok(StoreReply::Done));
    assert_eq!(issue_as(&mut trial, amy, Some("c-1")).expect("a token").1, None);
}

fn groups_are_named(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, ben) = (trial.user("amy"), trial.user("ben"));
    let (walks, runs) = (create(&mut trial, amy, "Walks"), create(&mut trial, ben, "runs"));
    let joined = trial.request(StoreRequest::AddGroup { user: amy, group: runs, row: None });
    assert!(joined.is_ok(), "{joined:?}");
    assert_eq!(groups(&mut trial, amy, None), [walks, runs]);
    assert_eq!(groups(&mut trial, amy, Some("WALKS")), [walks]);
    assert_eq!(groups(&mut trial, amy, Some("runs")), [], "it is somebody else's");
    assert_eq!(groups(&mut trial, ben, None), [runs]);
    let left = trial.request(StoreRequest::DelGroup { user: amy, group: walks, row: None });
    assert!(left.is_ok(), "{left:?}");
    assert_eq!(groups(&mut trial, amy, None), [runs]);
}

fn who_is_erased_is_nobody(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, ben) = (put(&mut trial, external("u-1"), Some("Amy"), None).user, trial.user("ben"));
    let token = issue(&mut trial, amy).expect("a token");
    for (user, friend) in [(amy, ben), (ben, amy)] {
        assert!(trial.request(StoreRequest::AddFriend { user, friend }).is_ok());
    }
    assert_eq!(act(&mut trial, AccountAct::Erase(amy)), Ok(StoreReply::Done));
    assert!(!is_good(&mut trial, &token.secret));
    assert_eq!(act(&mut trial, AccountAct::Find(external("u-1"))), Err(Code::NoSuchUser));
    assert_eq!(act(&mut trial, AccountAct::Find(AccountName::Name("Amy".into()))), Err(Code::NoSuchUser));
    let Ok(StoreReply::Account(left)) = act(&mut trial, AccountAct::Find(AccountName::Id(amy))) else {
        panic!("its id is nobody else's");
    };
    assert_eq!((left.name.as_str(), left.external, left.disabled), ("erased", None, true));
    assert_eq!(trial.request(StoreRequest::Friends { user: ben }), Ok(StoreReply::Friends(Vec::new())));
    assert_ne!(put(&mut trial, external("u-1"), Some("Amy"), None).user, amy);
    assert_eq!(act(&mut trial, AccountAct::Erase(amy)), Ok(StoreReply::Done), "once more does no harm");
}
