//! Effects as lines of text.

use super::script::Script;
use chatd::chat::model::change::Changed;
use chatd::chat::model::consent::Parting;
use chatd::chat::model::envelope::{
    ChangeNotice, Demand, Durability, Envelope, Kind, Notice, RuleNotice, Whereabouts,
};
use chatd::chat::model::group_rule::{MemberRule, Standing};
use chatd::chat::model::history::SyncFrom;
use chatd::chat::model::ids::{GroupId, MessageId};
use chatd::chat::model::profile::Who;
use chatd::chat::model::token::Proof;
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::Channel;
use chatd::chat::port::store::{CursorUpdate, Detail, Issue, StoreRequest};

pub fn effect(script: &Script, effect: &Effect) -> String {
    match effect {
        Effect::Send { connection: session, frame } => {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            format!("send {} {}", script.name(*session), shorten(&String::from_utf8_lossy(&bytes)))
        }
        Effect::SendAll { .. } => unreachable!("it was taken apart"),
        Effect::Close { connection: session, .. } => format!("close {}", script.name(*session)),
        Effect::Pause { connection: session } => format!("pause {}", script.name(*session)),
        Effect::Resume { connection: session } => format!("resume {}", script.name(*session)),
        Effect::Probe { connection: session } => format!("probe {}", script.name(*session)),
        Effect::Join { channel, .. } => format!("join {}", show_channel(*channel)),
        Effect::Leave { channel } => format!("leave {}", show_channel(*channel)),
        Effect::Publish { id: ticket, channel, envelope } => {
            let counted = if ticket.is_some() { " counted" } else { "" };
            format!("publish{counted} {}: {}", show_channel(*channel), show_envelope(envelope))
        }
        Effect::QueryPresence { users, .. } => {
            let users: Vec<String> = users.iter().map(ToString::to_string).collect();
            format!("query presence {}", users.join(" "))
        }
        Effect::Store { request: ask, .. } => format!("store {}", show_ask(ask)),
    }
}

fn show_channel(channel: Channel) -> String {
    match channel {
        Channel::User(user) => format!("user {user}"),
        Channel::Group(group) => format!("group {group}"),
        Channel::Cores => "cores".to_owned(),
    }
}

fn show_envelope(envelope: &Envelope) -> String {
    match envelope.kind() {
        Kind::Direct | Kind::Group => {
            let storing = match envelope.durability() {
                Durability::Always => "always",
                Durability::IfUnacked => "if unacked",
                Durability::IfUndelivered => "if undelivered",
            };
            format!("{} ({storing})", shorten(&String::from_utf8_lossy(envelope.body())))
        }
        Kind::GroupOffsets => {
            let pairs: Vec<String> = envelope.offsets().map(|(_, pos)| pos.to_string()).collect();
            format!("stored at {}", pairs.join(" "))
        }
        Kind::Presence => {
            let state = |notice: &Notice| match notice.whereabouts {
                Whereabouts::Here => "online",
                Whereabouts::Gone => "offline",
                Whereabouts::Elsewhere => "elsewhere",
            };
            let notice = |notice: Notice| format!("{} {}", notice.user, state(&notice));
            envelope.notices().map(notice).collect::<Vec<_>>().join(", ")
        }
        Kind::Confirmed | Kind::Unconfirmed => {
            let what = format!("{:?}", envelope.kind()).to_lowercase();
            format!("{} has {what} {}", envelope.sender(), show_mids(&envelope.mids()))
        }
        Kind::Claim => match envelope.demand() {
            Demand::Nothing => "claim".to_owned(),
            Demand::Takeover => "claim for takeover".to_owned(),
            Demand::Token(token) => format!("claim by token {}", token.0),
            Demand::Join(None) => "claim beside others".to_owned(),
            Demand::Join(Some(token)) => format!("claim beside others, by token {}", token.0),
        },
        Kind::ClaimJoined => format!("claim joined by {}", envelope.sessions()),
        Kind::Read => {
            let notice = envelope.read().expect("it was sealed here");
            format!("{} has read {:?} up to {}", notice.reader, notice.conversation, notice.pos)
        }
        Kind::Typing => {
            let notice = envelope.typing().expect("it was sealed here");
            let but = envelope.typing_is_kept_from();
            let but: String = but.iter().map(|user| format!(", but not to {user}")).collect();
            format!("{} types: {}, {} here{but}", notice.user, notice.on, notice.here)
        }
        Kind::Friendship => {
            let notice = envelope.friend_notice().expect("it was sealed here");
            format!("of {} {:?}: {:?}", notice.about, notice.name, notice.news)
        }
        Kind::Settings => format!("{:?}", envelope.settings()),
        Kind::Changed => {
            let ChangeNotice { conversation, changed } = envelope.changed().expect("it was sealed here");
            let Changed { chg, pos, by, rev, what, .. } = changed;
            format!("{by} has changed {conversation:?} @{pos}, {chg}, rev {rev}: {what:?}")
        }
        Kind::ConfirmedHere => format!("confirmed here {}", show_mids(&envelope.mids())),
        Kind::Acquaintance => format!("{:?}", envelope.acquainted().expect("it was sealed here")),
        Kind::GroupRule => {
            let RuleNotice { standings, all } = envelope.ruled();
            let member = |member: &Option<MemberRule>| {
                member.map_or("out".into(), |member| {
                    format!("{}, muted {}", member.role.name(), member.muted.get())
                })
            };
            let each = |s: &Standing| format!("{} is {} since {}", s.user, member(&s.member), s.at);
            let all = all.map(|all| format!("all are muted {} since {}", all.until.get(), all.at));
            standings.iter().map(each).chain(all).collect::<Vec<_>>().join(", ")
        }
        Kind::GroupTold | Kind::GroupAsked => {
            let body = String::from_utf8_lossy(envelope.body());
            format!("{}: {body}", words(&format!("{:?}", envelope.kind())))
        }
        Kind::DevicesHere => format!("devices here {:?}", envelope.tokens()),
        Kind::Announcement => {
            format!("announced as {}: {}", envelope.cid(), String::from_utf8_lossy(envelope.body()))
        }
        Kind::TokenRevoked => format!("{:?} revoked", envelope.revoked()),
        notice => words(&format!("{notice:?}")),
    }
}

/// A name of a notice as words: `ClaimConceded` is "claim conceded".
fn words(name: &str) -> String {
    let mut words = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// Long runs of one letter are counted, so that a text of 16 KiB is a line to read.
fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut chars = text.chars().peekable();
    while let Some(letter) = chars.next() {
        let mut run = 1;
        while chars.next_if_eq(&letter).is_some() {
            run += 1;
        }
        if run > 12 {
            short.push_str(&format!("{letter}*{run}"));
        } else {
            short.extend(std::iter::repeat_n(letter, run));
        }
    }
    short
}

fn show_mids(mids: &[MessageId]) -> String {
    format!("{} mids", mids.len())
}

fn show_places(places: &[(GroupId, u64)]) -> String {
    let places: Vec<String> = places.iter().map(|(group, pos)| format!("{group}:{pos}")).collect();
    places.join(" ")
}

fn show_ask(ask: &StoreRequest) -> String {
    match ask {
        StoreRequest::Register { name, password, .. } => format!("Register {name} {}", password.0),
        StoreRequest::Verify { who: Who::Id(user), password, .. } => format!("Verify {user} {}", password.0),
        StoreRequest::Verify { who: Who::Name(name), password, .. } => {
            format!("Verify {name:?} {}", password.0)
        }
        StoreRequest::LoadProfile { user, detail: Detail::Members, issue: Issue::Nothing, .. } => {
            format!("LoadProfile {user}")
        }
        StoreRequest::Friends { user } => format!("Friends {user}"),
        StoreRequest::AddFriend { user, friend } => format!("AddFriend {user} {friend}"),
        StoreRequest::DelFriend { user, friend, parting: Parting::OwnList } => {
            format!("DelFriend {user} {friend}")
        }
        StoreRequest::DelFriend { user, friend, parting } => {
            format!("DelFriend {user} {friend}, {parting:?}")
        }
        StoreRequest::AskFriend { user, friend, note, cid } => {
            format!("AskFriend {user} {friend} {note:?}, cid {cid:?}")
        }
        StoreRequest::AnswerFriend { user, friend, answer } => {
            format!("AnswerFriend {user} {friend} {answer:?}")
        }
        StoreRequest::SaveSettings { user, change } => {
            format!("SaveSettings {user} {:?} {:?}", change.who_writes, change.read_receipts)
        }
        StoreRequest::CreateGroup { user, name, desc } => format!("CreateGroup {user} {name:?} {desc:?}"),
        StoreRequest::AddGroup { user, group, .. } => format!("AddGroup {user} {group}"),
        StoreRequest::DelGroup { user, group, .. } => format!("DelGroup {user} {group}"),
        StoreRequest::RuleGroup { user, group, rule, cid, .. } => {
            format!("RuleGroup {user} {group} {rule:?} as {:?}", cid.as_deref().unwrap_or_default())
        }
        StoreRequest::JoinRequests { user, group } => format!("JoinRequests {user} {group}"),
        StoreRequest::CheckMembership { user, group } => format!("CheckMembership {user} {group}"),
        StoreRequest::LoadProfile { user, detail, issue, device, heads: 1.., .. } => {
            let device = device.as_ref().map_or(String::new(), |device| format!(" for {device:?}"));
            format!("LoadProfile {user} {detail:?} {issue:?}{device}, with heads")
        }
        StoreRequest::LoadProfile { user, proof: Proof::Application(expires), detail, issue, .. } => {
            format!("LoadProfile {user} {detail:?} {issue:?}, until {}", expires.0)
        }
        StoreRequest::LoadProfile { user, proof: Proof::Token(token), detail, issue, .. } => {
            format!("LoadProfile {user} {detail:?} {issue:?}, by token {}", token.0)
        }
        StoreRequest::LoadProfile { user, detail, issue, .. } => {
            format!("LoadProfile {user} {detail:?} {issue:?}")
        }
        StoreRequest::Remember { user, window } => format!("Remember {user} {} cids", window.len()),
        StoreRequest::Admit { jwt, renews: None } => format!("Admit {}", jwt.0),
        StoreRequest::Admit { jwt, renews: Some((user, token)) } => {
            let token = token.map_or(String::new(), |token| format!(" with token {}", token.0));
            format!("Admit {} for {user}{token}", jwt.0)
        }
        StoreRequest::Account(act) => format!("Account {act:?}"),
        StoreRequest::Resume { secret, device: None } => format!("Resume {}", secret.0),
        StoreRequest::Resume { secret, device: Some(device) } => format!("Resume {} as {device:?}", secret.0),
        StoreRequest::Devices { user } => format!("Devices {user}"),
        StoreRequest::CheckProofs { user, proofs } => {
            let proofs: Vec<String> = proofs.iter().map(show_proof).collect();
            format!("CheckProofs {user}: {}", proofs.join(", "))
        }
        StoreRequest::SetPushToken { user, device, push } => {
            let push = push.as_ref().map(|push| format!("{} {}", push.kind, push.token));
            format!("SetPushToken {user} {} {}", device.0, push.unwrap_or_default())
        }
        StoreRequest::DropDevice { user, token } => format!("DropDevice {user} {}", token.0),
        StoreRequest::Heads { user, before, heads } => {
            let before = before.map_or(String::new(), |before| format!(" before {}", before.0));
            format!("Heads {user}{before}, at most {heads}")
        }
        StoreRequest::Sync { user, since, messages, .. } => {
            let from = |from: &SyncFrom| {
                let chg = from.chg.map_or(String::new(), |chg| format!(" and change {chg}"));
                format!("{:?} after {}{chg}", from.conversation, from.after)
            };
            let since: Vec<String> = since.iter().map(from).collect();
            format!("Sync {user} {}, at most {messages} of each", since.join(" "))
        }
        StoreRequest::MoveMarker { user, conversation, pos } => {
            format!("MoveMarker {user} {conversation:?} {pos}")
        }
        StoreRequest::FindPlaces { mids } => format!("FindPlaces {}", show_mids(mids)),
        StoreRequest::Revoke { user, token } => format!("Revoke {user} {}", token.0),
        StoreRequest::ChangePassword { user, old, new, .. } => {
            format!("ChangePassword {user} {} {}", old.0, new.0)
        }
        StoreRequest::Hidden { user } => format!("Hidden {user}"),
        StoreRequest::Acquaintances { user } => format!("Acquaintances {user}"),
        StoreRequest::Find { who: Who::Id(id), .. } => format!("Find {id}"),
        StoreRequest::Find { who: Who::Name(name), .. } => format!("Find {name:?}"),
        StoreRequest::Block { user, blocked } => format!("Block {user} {blocked}"),
        StoreRequest::Unblock { user, blocked } => format!("Unblock {user} {blocked}"),
        StoreRequest::Members { user, group, after, members } => {
            let after = after.map_or(String::new(), |after| format!(" after {after}"));
            format!("Members {user} {group}{after}, at most {members}")
        }
        StoreRequest::History { user, conversation, span, wanted, messages, bytes } => {
            let changes = if wanted.changes { ", with what became of it" } else { "" };
            format!("History {user} {conversation:?} {span:?}, at most {messages} in {bytes} bytes{changes}")
        }
        StoreRequest::Alter { user, conversation, pos, alteration, .. } => {
            format!("Alter {user} {conversation:?} @{pos} {alteration:?}")
        }
        StoreRequest::Search { user, q, conversation, before, wanted, messages, bytes } => {
            let conversation = conversation.map_or(String::new(), |one| format!(" in {one:?}"));
            let before = before.map_or(String::new(), |before| format!(" before {}", before.0));
            let changes = if wanted.changes { ", with what became of it" } else { "" };
            format!("Search {user} {q:?}{conversation}{before}, at most {messages} in {bytes} bytes{changes}")
        }
        StoreRequest::AppendHistory { envelopes } => format!("AppendHistory {} messages", envelopes.len()),
        StoreRequest::StoreMessage { envelope } => format!("StoreMessage {}", show_envelope(envelope)),
        StoreRequest::FetchBacklog { user, after, have, .. } => {
            let after = if after.0 == 0 { "the front" } else { "there" };
            format!("FetchBacklog {user} from {after}, have {}", show_places(have))
                .trim_end_matches(", have ")
                .to_owned()
        }
        StoreRequest::AckDelivered { user, mids, cursors: progress } => {
            let progress: Vec<String> = progress.iter().map(show_progress).collect();
            format!("AckDelivered {user} {} {}", show_mids(mids), progress.join(" ")).trim_end().to_owned()
        }
    }
}

fn show_progress(progress: &CursorUpdate) -> String {
    let CursorUpdate { group, upto, beyond } = progress;
    format!("{group}:{upto}+{}", beyond.len())
}

fn show_proof(proof: &Proof) -> String {
    match proof {
        Proof::Password(_) => "password".to_owned(),
        Proof::Token(token) => format!("token {}", token.0),
        Proof::Application(_) => "application".to_owned(),
    }
}
