//! Devices: tokens with names, how they are listed, and how one is dropped.

use super::accounts::stranger;
use super::trial::Trial;
use super::{Case, Opener};
use crate::{Order, Outcome};
use chatd_chat::model::device::{Device, PushToken};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Token, TokenId};
use chatd_chat::port::store::{Detail, Issue, Resumed, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;

pub const CASES: &[Case] = &[
    Case { name: "devices are listed, the one used last first", run: devices_are_listed },
    Case { name: "a device takes another name", run: a_device_takes_another_name },
    Case { name: "a device is dropped by its user alone", run: a_device_is_dropped },
    Case { name: "a push token is kept with its device", run: a_push_token_is_kept },
    Case { name: "a device that was not used for long is not listed", run: a_stale_device_is_not_listed },
    Case { name: "a new password keeps the name of the only device", run: a_new_password_keeps_the_name },
];

/// Logs in with a device of this name.
fn issue(trial: &mut Trial, user: UserId, device: Option<&str>) -> Token {
    let proof = trial.proof(user);
    let (detail, issue, device) = (Detail::Counts, Issue::Token, device.map(Into::into));
    match trial.request(StoreRequest::LoadProfile { user, proof, detail, issue, device, heads: 0 }) {
        Ok(StoreReply::Profile(profile)) => profile.token.expect("one was to be issued"),
        other => panic!("a profile is always given, not {other:?}"),
    }
}

fn resume(token: &Token, device: Option<&str>) -> StoreRequest {
    StoreRequest::Resume { secret: token.secret.clone(), device: device.map(Into::into) }
}

fn listed(trial: &mut Trial, user: UserId) -> Vec<Device> {
    match trial.request(StoreRequest::Devices { user }) {
        Ok(StoreReply::Devices(devices)) => devices,
        other => panic!("devices are always listed, not {other:?}"),
    }
}

fn names(trial: &mut Trial, user: UserId) -> Vec<(TokenId, String)> {
    listed(trial, user).into_iter().map(|device| (device.token, device.name)).collect()
}

fn devices_are_listed(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    assert_eq!(listed(&mut trial, amy), []);
    let web = issue(&mut trial, amy, Some("web"));
    let nameless = issue(&mut trial, amy, None);
    let hostile = "手机 \u{202e}'; DROP TABLE token; -- \\ \" ? %s";
    let phone = issue(&mut trial, amy, Some(hostile));
    issue(&mut trial, ben, Some("web"));
    let named = |token: &Token, name: &str| (token.id, name.to_owned());
    assert_eq!(names(&mut trial, amy), [named(&phone, hostile), named(&nameless, ""), named(&web, "web")]);
    assert!(trial.request(resume(&web, None)).is_ok());
    let devices = listed(&mut trial, amy);
    assert_eq!(devices[0].token, web.id, "it was used last");
    assert!(devices.iter().all(|device| device.created.0 > 0 && device.created <= device.used));
    assert_eq!(devices[1].created, devices[1].used, "it was not used since");
    assert_eq!(listed(&mut trial, stranger()), []);
    // In the order asked, in one batch.
    let answers = trial.requests(vec![
        StoreRequest::Devices { user: amy },
        StoreRequest::DropDevice { user: amy, token: web.id },
        StoreRequest::Devices { user: amy },
        resume(&nameless, None),
        StoreRequest::Devices { user: amy },
    ]);
    let tokens = |answer: &Result<StoreReply, Code>| match answer {
        Ok(StoreReply::Devices(devices)) => devices.iter().map(|device| device.token).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(tokens(&answers[0]), [web.id, phone.id, nameless.id]);
    assert_eq!(tokens(&answers[2]), [phone.id, nameless.id]);
    assert_eq!(tokens(&answers[4]), [nameless.id, phone.id]);
}

fn a_device_takes_another_name(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let amy = trial.user("amy");
    let tokens =
        [None, Some("two"), Some("three"), Some("four")].map(|device| issue(&mut trial, amy, device));
    let [one, two, three, four] = &tokens;
    let answers = trial.requests(vec![
        resume(four, Some("four")),
        resume(three, None),
        resume(two, Some("first")),
        resume(one, Some("1")),
        resume(two, Some("last")),
    ]);
    let of = [four, three, two, one, two];
    for (answer, token) in answers.iter().zip(of) {
        let name = "amy".to_owned();
        assert_eq!(
            *answer,
            Ok(StoreReply::Resumed(Resumed { user: amy, name, token: token.id, expires: None }))
        );
    }
    let mut named = names(&mut trial, amy);
    named.sort_unstable_by_key(|(token, _)| tokens.iter().position(|other| other.id == *token));
    let named: Vec<&str> = named.iter().map(|(_, name)| &**name).collect();
    assert_eq!(named, ["1", "last", "three", "four"]);
    // Who is refused renames nothing.
    trial.request(StoreRequest::Revoke { user: amy, token: one.id }).expect("it is revoked");
    assert_eq!(trial.request(resume(one, Some("ghost"))), Err(Code::Refused));
    assert!(listed(&mut trial, amy).iter().all(|device| device.name != "ghost"));
}

fn a_device_is_dropped(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let (web, phone) = (issue(&mut trial, amy, Some("web")), issue(&mut trial, amy, Some("phone")));
    let drop_it = |user, token| StoreRequest::DropDevice { user, token };
    let answers = trial.requests(vec![
        drop_it(ben, web.id),
        drop_it(amy, TokenId(u64::MAX)),
        drop_it(stranger(), web.id),
        resume(&web, None),
        drop_it(amy, web.id),
        resume(&web, None),
        drop_it(amy, web.id),
        resume(&phone, None),
    ]);
    let ends: Vec<Option<Code>> = answers.iter().map(|answer| answer.as_ref().err().copied()).collect();
    let none = Some(Code::NoSuchUser);
    assert_eq!(ends, [none, none, none, None, None, Some(Code::Refused), none, None]);
    assert_eq!(answers[4], Ok(StoreReply::Done));
    assert_eq!(names(&mut trial, amy), [(phone.id, "phone".to_owned())]);
}

fn a_push_token_is_kept(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let (web, phone) = (issue(&mut trial, amy, Some("web")), issue(&mut trial, amy, Some("phone")));
    let push = |token: &str| Some(PushToken { token: token.into(), kind: "apns \u{202e}'".into() });
    let set = |user, device, push| StoreRequest::SetPushToken { user, device, push };
    let long = "\u{1f600}'\\".repeat(682);
    let answers = trial.requests(vec![
        set(amy, phone.id, push("one")),
        set(amy, phone.id, push(&long)),
        set(amy, phone.id, push(&long)),
        set(ben, phone.id, push("stolen")),
        set(amy, TokenId(u64::MAX), push("nobody's")),
        set(amy, web.id, None),
    ]);
    let (done, none) = (Ok(StoreReply::Done), Err(Code::NoSuchUser));
    assert_eq!(answers, [done.clone(), done.clone(), done.clone(), none.clone(), none.clone(), done.clone()]);
    let kept = |trial: &mut Trial| {
        let mut kept: Vec<_> =
            listed(trial, amy).into_iter().map(|device| (device.token, device.push)).collect();
        kept.sort_unstable_by_key(|(token, _)| *token != web.id);
        kept
    };
    assert_eq!(kept(&mut trial), [(web.id, None), (phone.id, push(&long))]);
    assert!(trial.request(resume(&phone, Some("other name"))).is_ok());
    assert_eq!(kept(&mut trial)[1], (phone.id, push(&long)), "a name is another matter");
    assert_eq!(trial.request(set(amy, phone.id, None)), done);
    assert_eq!(kept(&mut trial), [(web.id, None), (phone.id, None)]);
    assert!(trial.request(set(amy, phone.id, push("two"))).is_ok());
    assert!(trial.request(StoreRequest::Revoke { user: amy, token: phone.id }).is_ok());
    assert_eq!(kept(&mut trial), [(web.id, None)], "it goes with its device");
    assert_eq!(trial.request(set(amy, phone.id, push("two"))), none);
}

fn a_stale_device_is_not_listed(open: &mut Opener<'_>) {
    let mut trial = Trial::with(open, &Limits { token_days: 0, ..Limits::default() });
    let amy = trial.user("amy");
    let token = issue(&mut trial, amy, Some("web"));
    assert_eq!(listed(&mut trial, amy), []);
    assert_eq!(
        trial.request(StoreRequest::DropDevice { user: amy, token: token.id }),
        Ok(StoreReply::Done),
        "and can be dropped all the same"
    );
}

fn a_new_password_keeps_the_name(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    let [amy, ben] = trial.users(["amy", "ben"]);
    issue(&mut trial, amy, Some("web"));
    for device in ["web", "phone"] {
        issue(&mut trial, ben, Some(device));
    }
    for (user, name, device) in [(amy, "amy", "web"), (ben, "ben", "")] {
        let order = Order::Replace { user, old: format!("hash of {name}"), new: "new".into() };
        let outcome = trial.batch(&[order]).remove(0);
        let Outcome::Reply(Ok(StoreReply::Issued(token))) = outcome else { panic!("{outcome:?}") };
        assert_eq!(names(&mut trial, user), [(token.id, device.to_owned())]);
    }
}
