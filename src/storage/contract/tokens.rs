//! Tokens, and passwords that are replaced.

use super::accounts::stranger;
use super::trial::Trial;
use super::{Case, Opener};
use crate::{Order, Outcome};
use chatd_chat::model::act::{AccountAct, AccountName};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Proof, Secret, Token, TokenId};
use chatd_chat::port::store::{Detail, Issue, Resumed, StoreReply, StoreRequest, StoreResult, Verified};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "a token resumes, until it is revoked", run: a_token_resumes },
    Case { name: "tokens are bounded, the oldest use goes", run: tokens_are_bounded },
    Case { name: "a token expires", run: a_token_expires },
    Case { name: "a new password makes all tokens worthless", run: a_new_password },
    Case { name: "a login whose proof has gone does not take effect", run: a_proof_is_looked_at_again },
    Case { name: "what let in a session is good until it is revoked", run: what_let_in_is_good },
];

fn issue(trial: &mut Trial, user: UserId) -> Token {
    let proof = trial.proof(user);
    match trial.request(StoreRequest::LoadProfile {
        user,
        proof,
        detail: Detail::Counts,
        issue: Issue::Token,
        device: None,
        heads: 0,
    }) {
        Ok(StoreReply::Profile(profile)) => profile.token.expect("one was to be issued"),
        other => panic!("a profile is always given, not {other:?}"),
    }
}

fn resume(token: &Token) -> StoreRequest {
    StoreRequest::Resume { secret: token.secret.clone(), device: None }
}

fn resumed(user: UserId, name: &str, token: &Token) -> StoreResult {
    Ok(StoreReply::Resumed(Resumed { user, name: name.to_owned(), token: token.id, expires: None }))
}

fn a_token_resumes(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let (one, two) = (issue(&mut trial, amy), issue(&mut trial, ben));
    assert!(one.id != two.id && one.secret != two.secret);
    assert_eq!(
        trial.requests(vec![resume(&two), resume(&one), resume(&two)]),
        [resumed(ben, "ben", &two), resumed(amy, "amy", &one), resumed(ben, "ben", &two)]
    );
    let mut other = one.secret.0.to_string();
    other.replace_range(..1, if other.starts_with('x') { "y" } else { "x" });
    for text in ["", "x", other.as_str(), &one.secret.0[1..], "\0", "' OR 1=1 --", &"x".repeat(10_000)] {
        assert_eq!(
            trial.request(StoreRequest::Resume { secret: Secret(text.into()), device: None }),
            Err(Code::Refused)
        );
    }
    // Only its user revokes it.
    let replies = trial.requests(vec![
        StoreRequest::Revoke { user: ben, token: one.id },
        resume(&one),
        StoreRequest::Revoke { user: amy, token: one.id },
        resume(&one),
        StoreRequest::Revoke { user: amy, token: one.id },
        StoreRequest::Revoke { user: amy, token: TokenId(u64::MAX) },
        resume(&two),
    ]);
    let done = || Ok(StoreReply::Done);
    let refused = || Err(Code::Refused);
    let expected =
        [done(), resumed(amy, "amy", &one), done(), refused(), done(), done(), resumed(ben, "ben", &two)];
    assert_eq!(replies, expected);
}

fn tokens_are_bounded(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { tokens: 3, ..Limits::default() });
    let [amy, ben] = trial.users(["amy", "ben"]);
    let other = issue(&mut trial, ben);
    let tokens: Vec<Token> = (0..3).map(|_| issue(&mut trial, amy)).collect();
    assert_eq!(trial.request(resume(&tokens[0])), resumed(amy, "amy", &tokens[0]));
    let last = issue(&mut trial, amy);
    assert_eq!(trial.request(resume(&tokens[1])), Err(Code::Refused), "it was not used for longest");
    for token in [&tokens[0], &tokens[2], &last] {
        assert_eq!(trial.request(resume(token)), resumed(amy, "amy", token));
    }
    assert_eq!(trial.request(resume(&other)), resumed(ben, "ben", &other), "another user's are not counted");
}

fn a_token_expires(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { token_days: 0, ..Limits::default() });
    let amy = trial.user("amy");
    let token = issue(&mut trial, amy);
    assert_eq!(trial.request(resume(&token)), Err(Code::Refused));
}

/// What a login was proven by is looked at again where it takes effect, whether or not a token is issued,
/// and also when it was replaced in the same batch.
fn a_proof_is_looked_at_again(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let (old, bens) = (trial.proof(amy), trial.proof(ben));
    let found = trial.lookup(amy).expect("she is there");
    let token = issue(&mut trial, amy);
    let enter = |user, proof, issue| StoreRequest::LoadProfile {
        user,
        proof,
        detail: Detail::Counts,
        issue,
        device: None,
        heads: 0,
    };
    let both = [Issue::Nothing, Issue::Token];
    let may_enter = |trial: &mut Trial, user, proof| {
        let replies = both.map(|issue| trial.request(enter(user, proof, issue)));
        match replies {
            [Ok(StoreReply::Profile(none)), Ok(StoreReply::Profile(one))] => {
                assert!(none.token.is_none() && one.token.is_some());
                true
            }
            [Err(Code::Refused), Err(Code::Refused)] => false,
            other => panic!("{other:?}"),
        }
    };
    for (user, proof, may) in [
        (amy, old, true),
        (amy, Proof::Token(token.id), true),
        (amy, bens, false),
        (ben, Proof::Token(token.id), false),
        (stranger(), old, false),
        (amy, Proof::Token(TokenId(u64::MAX)), false),
    ] {
        assert_eq!(may_enter(&mut trial, user, proof), may, "{user} by {proof:?}");
    }
    assert!(matches!(
        trial.batch(&[Order::Confirm { account: found.clone() }])[..],
        [Outcome::Reply(Ok(StoreReply::Verified(Verified { user, print, .. })))]
            if user == amy && Proof::Password(print) == old
    ));
    let mut outcomes = trial.batch(&[
        Order::Replace { user: amy, old: "hash of amy".into(), new: "new".into() },
        Order::Request(enter(amy, old, Issue::Token)),
        Order::Request(enter(amy, old, Issue::Nothing)),
        Order::Request(enter(amy, Proof::Token(token.id), Issue::Nothing)),
        Order::Confirm { account: found },
    ]);
    let Outcome::Reply(Ok(StoreReply::Issued(new))) = outcomes.remove(0) else { panic!("{outcomes:?}") };
    assert_eq!(outcomes, vec![Outcome::Reply(Err(Code::Refused)); 4]);
    for (proof, may) in [(old, false), (Proof::Token(token.id), false), (Proof::Token(new.id), true)] {
        assert_eq!(may_enter(&mut trial, amy, proof), may, "by {proof:?}");
    }
    let proof = trial.proof(amy);
    assert!(may_enter(&mut trial, amy, proof));
    assert_eq!(trial.request(StoreRequest::Revoke { user: amy, token: new.id }), Ok(StoreReply::Done));
    assert!(!may_enter(&mut trial, amy, Proof::Token(new.id)));
}

fn good(trial: &mut Trial, user: UserId, proofs: &[Proof]) -> Vec<Proof> {
    match trial.request(StoreRequest::CheckProofs { user, proofs: proofs.to_vec() }) {
        Ok(StoreReply::Proven(good)) => good,
        other => panic!("proofs are always checked, not {other:?}"),
    }
}

/// Whatever ends it: a logout, a device that is dropped, a new password, the API. One that nobody used for long, or that no
/// RESUME takes any more, lets its session go on.
fn what_let_in_is_good(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { token_days: 0, ..Limits::default() });
    let [amy, ben] = trial.users(["amy", "ben"]);
    let password = trial.proof(amy);
    let tokens: [Token; 4] = std::array::from_fn(|_| issue(&mut trial, amy));
    let [one, two, three, four] = tokens.map(|token| Proof::Token(token.id));
    let bens = Proof::Token(issue(&mut trial, ben).id);
    let all = [two, password, bens, one, Proof::Token(TokenId(u64::MAX)), four, three];
    assert_eq!(good(&mut trial, amy, &all), [two, password, one, four, three], "in the order asked");
    assert_eq!(good(&mut trial, amy, &[]), []);
    assert_eq!(good(&mut trial, stranger(), &all), []);
    let (first, second) = (one.token().expect("one"), two.token().expect("one"));
    let replies = trial.requests(vec![
        StoreRequest::Revoke { user: amy, token: first },
        StoreRequest::CheckProofs { user: amy, proofs: all.to_vec() },
        StoreRequest::DropDevice { user: amy, token: second },
        StoreRequest::CheckProofs { user: amy, proofs: all.to_vec() },
    ]);
    assert_eq!(replies[1], Ok(StoreReply::Proven(vec![two, password, four, three])));
    assert_eq!(replies[3], Ok(StoreReply::Proven(vec![password, four, three])));
    // What was asked before the password is another was asked of what was good then.
    let check = || Order::Request(StoreRequest::CheckProofs { user: amy, proofs: all.to_vec() });
    let replace = Order::Replace { user: amy, old: "hash of amy".into(), new: "new".into() };
    let outcomes = trial.batch(&[check(), replace, check()]);
    assert_eq!(outcomes[0], Outcome::Reply(Ok(StoreReply::Proven(vec![password, four, three]))));
    assert_eq!(outcomes[2], Outcome::Reply(Ok(StoreReply::Proven(Vec::new()))));
    let new = trial.proof(amy);
    let last = Proof::Token(issue(&mut trial, amy).id);
    assert_eq!(good(&mut trial, amy, &[new, last]), [new, last]);
    let act = |act| StoreRequest::Account(act);
    assert!(trial.request(act(AccountAct::RevokeTokens(amy))).is_ok());
    assert_eq!(good(&mut trial, amy, &[new, last]), [new], "nobody has taken the password");
    let who = AccountName::Id(amy);
    assert!(trial.request(act(AccountAct::Put { who, name: None, disabled: Some(true) })).is_ok());
    assert_eq!(good(&mut trial, amy, &[new, last]), []);
    assert_eq!(good(&mut trial, ben, &[bens]), [bens]);
    assert!(trial.request(act(AccountAct::Erase(ben))).is_ok());
    assert_eq!(good(&mut trial, ben, &[bens]), []);
}

fn a_new_password(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let (one, two, other) = (issue(&mut trial, amy), issue(&mut trial, amy), issue(&mut trial, ben));
    let replace = |user, old: &str, new: &str| Order::Replace { user, old: old.into(), new: new.into() };
    let mut outcomes = trial.batch(&[
        replace(amy, "hash of ben", "wrong"),
        replace(stranger(), "hash of amy", "wrong"),
        replace(amy, "hash of amy", "new"),
        replace(amy, "hash of amy", "late"),
    ]);
    let refused = Outcome::Reply(Err(Code::Refused));
    let issued = outcomes.remove(2);
    assert_eq!(outcomes, [refused.clone(), refused.clone(), refused]);
    let Outcome::Reply(Ok(StoreReply::Issued(new))) = issued else { panic!("{issued:?}") };
    assert_eq!(trial.lookup(amy).map(|account| account.hash).as_deref(), Some("new"));
    assert_eq!(trial.lookup(ben).map(|account| account.hash).as_deref(), Some("hash of ben"));
    assert_eq!(trial.requests(vec![resume(&one), resume(&two)]), [Err(Code::Refused), Err(Code::Refused)]);
    assert_eq!(trial.request(resume(&new)), resumed(amy, "amy", &new));
    assert_eq!(trial.request(resume(&other)), resumed(ben, "ben", &other));
}
