//! Users whom another application vouches for, and tokens that are good for a time.

use super::trial::Trial;
use super::{Case, Opener};
use crate::admission::Admission;
use crate::{Order, Outcome};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::model::profile::{Person, Who};
use chatd_chat::model::token::{Proof, Secret, Token, TokenId};
use chatd_chat::port::store::{Admitted, Detail, Issue, Resumed, StoreReply, StoreRequest, StoreResult};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "an application's user is made once", run: a_user_is_made_once },
    Case { name: "an application's user has no password", run: a_user_has_no_password },
    Case { name: "names of an application's users are free ones", run: names_are_free_ones },
    Case { name: "a token is good as long as the word it was given for", run: a_token_is_good_as_long },
];

/// A time that no test lives to see.
const LATER: Millis = Millis(4_000_000_000_000);

fn admission(external: &str, name: Option<&str>) -> Admission {
    Admission {
        external: external.to_owned(),
        name: name.map(str::to_owned),
        expires: Some(LATER),
        renews: None,
    }
}

fn admit(trial: &mut Trial, admission: Admission) -> StoreResult {
    match trial.batch(&[Order::Admit { admission }]).remove(0) {
        Outcome::Reply(answer) => answer,
        Outcome::Found(_) | Outcome::Deferred => panic!("an admission is answered"),
    }
}

fn admitted(trial: &mut Trial, external: &str, name: Option<&str>) -> (UserId, String) {
    match admit(trial, admission(external, name)) {
        Ok(StoreReply::Admitted(Admitted { user, name, expires })) => {
            assert_eq!(expires, LATER);
            (user, name)
        }
        other => panic!("{external} was not let in: {other:?}"),
    }
}

fn issue(trial: &mut Trial, user: UserId, proof: Proof) -> Result<Token, Code> {
    let (detail, issue) = (Detail::Counts, Issue::Token);
    let request = StoreRequest::LoadProfile { user, proof, detail, issue, device: None, heads: 0 };
    match trial.request(request)? {
        StoreReply::Profile(profile) => Ok(profile.token.expect("one was to be issued")),
        other => panic!("{other:?}"),
    }
}

fn resume(trial: &mut Trial, secret: &Secret) -> Result<Option<Millis>, Code> {
    match trial.request(StoreRequest::Resume { secret: secret.clone(), device: None })? {
        StoreReply::Resumed(Resumed { expires, .. }) => Ok(expires),
        other => panic!("{other:?}"),
    }
}

fn a_user_is_made_once(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, name) = admitted(&mut trial, "u-1", Some("Amy"));
    assert_eq!(name, "Amy");
    // However it is called later: a name is the user's, not the application's word.
    assert_eq!(admitted(&mut trial, "u-1", Some("Amelia")), (amy, name.clone()));
    assert_eq!(admitted(&mut trial, "u-1", None), (amy, name.clone()));
    let both = [
        Order::Admit { admission: admission("u-2", None) },
        Order::Admit { admission: admission("u-2", None) },
    ];
    let outcomes = trial.batch(&both);
    assert_eq!(outcomes[0], outcomes[1]);
    // Every byte of it counts.
    let others = ["U-1", "u-1 ", " u-1", "u-1\0", "ü-1", "\u{1f600}", &"x".repeat(190)];
    let mut users: Vec<UserId> = others.map(|other| admitted(&mut trial, other, Some("Amy")).0).to_vec();
    users.push(amy);
    users.sort_unstable();
    users.dedup();
    assert_eq!(users.len(), others.len() + 1);
    let found = trial.request(StoreRequest::Find { user: amy, who: Who::Name("amy".to_owned()) });
    assert_eq!(found, Ok(StoreReply::Found(Person { id: amy, name, hides: false })));
}

fn a_user_has_no_password(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, _) = admitted(&mut trial, "u-1", Some("Amy"));
    assert_eq!(trial.lookup(amy), None, "nobody can guess what is not there");
    assert!(issue(&mut trial, amy, Proof::Application(LATER)).is_ok());
    let ben = trial.user("ben");
    assert_eq!(
        issue(&mut trial, ben, Proof::Application(LATER)),
        Err(Code::Refused),
        "it is no application's"
    );
}

fn names_are_free_ones(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    trial.user("Amy");
    let told = ["a", "b", "c", "d"].map(|external| admitted(&mut trial, external, Some("AMY")).1);
    assert_eq!(told, ["AMY-2", "AMY-3", "AMY-4", "AMY-5"]);
    let (_, nameless) = admitted(&mut trial, "e", None);
    assert_eq!(nameless, "user");
    let many: Vec<String> =
        (0..40).map(|number| admitted(&mut trial, &format!("n-{number}"), Some("a\u{202e}")).1).collect();
    assert!(many.iter().all(|name| name.starts_with("user-")), "{many:?}");
}

fn a_token_is_good_as_long(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let (amy, _) = admitted(&mut trial, "u-1", Some("Amy"));
    let (ben, _) = admitted(&mut trial, "u-2", Some("Ben"));
    let token = issue(&mut trial, amy, Proof::Application(LATER)).unwrap();
    assert_eq!(resume(&mut trial, &token.secret), Ok(Some(LATER)));
    let over = issue(&mut trial, amy, Proof::Application(Millis(1))).unwrap();
    assert_eq!(resume(&mut trial, &over.secret), Err(Code::Expired));
    let renew = |user, token: TokenId, expires| Admission {
        expires: Some(expires),
        renews: Some((user, Some(token))),
        ..admission("u-1", None)
    };
    // Somebody else's word, or for a token of somebody else.
    assert_eq!(admit(&mut trial, renew(ben, over.id, LATER)), Err(Code::NotYours));
    let nobodys = Admission { external: "u-9".to_owned(), ..renew(amy, over.id, LATER) };
    assert_eq!(admit(&mut trial, nobodys), Err(Code::NotYours));
    assert_eq!(resume(&mut trial, &over.secret), Err(Code::Expired));
    let bens = issue(&mut trial, ben, Proof::Application(LATER)).unwrap();
    assert!(admit(&mut trial, renew(amy, bens.id, Millis(1))).is_ok());
    assert_eq!(resume(&mut trial, &bens.secret), Ok(Some(LATER)));
    assert!(admit(&mut trial, renew(amy, over.id, LATER)).is_ok());
    assert_eq!(resume(&mut trial, &over.secret), Ok(Some(LATER)));
    // What a user of this server has is good as long as it is used.
    let cay = trial.user("cay");
    let proof = trial.proof(cay);
    let usual = issue(&mut trial, cay, proof).unwrap();
    assert_eq!(resume(&mut trial, &usual.secret), Ok(None));
}
