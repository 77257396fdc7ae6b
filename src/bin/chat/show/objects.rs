//! Objects for programs: what becomes of messages, of groups and of friendships.

use super::json::{conversation, mark, person, row};
use super::{Deed, Shown};
use chatd_client::{
    Change, Changed, Conversation, FriendChange, FriendEvent, GroupChange, GroupEvent, Joining, OwnDeed,
    Reaction, Recalled, Role, Row, Settings, Until, WhoWrites,
};
use serde_json::{Value, json};

/// The object, where it is something of this kind; nothing for a program.
pub(super) fn object(shown: &Shown) -> Option<Value> {
    Some(match shown {
        Shown::Changed { label, change, .. } => changed(label, change),
        Shown::Recalled { label, recalled: it, .. } => {
            let mut object = recalled(it);
            conversation(&mut object, "recalled", it.conversation, label);
            object
        }
        Shown::Stored { at, label, places, .. } => {
            let places: Vec<Value> =
                places.iter().map(|(mid, pos)| json!({"mid": mid.0.to_string(), "pos": pos})).collect();
            let mut object = json!({"places": places});
            conversation(&mut object, "stored", *at, label);
            object
        }
        Shown::Group { event: it, label, asked, .. } => {
            let mut object = event(it);
            object["kind"] = if *asked { "done" } else { "group_event" }.into();
            object["group"] = label.as_str().into();
            object
        }
        Shown::Joins { group, label, users } => json!({
            "kind": "joins", "groupid": group.get(), "group": label,
            "users": users.iter().map(person).collect::<Vec<_>>(),
        }),
        Shown::Friend { event, label, .. } => friend(event, label),
        Shown::Settings(settings) => self::settings(*settings),
        Shown::Sought { words, rows, more, searched_to } => json!({
            "kind": "found_messages", "words": words, "complete": !more, "searched_to": searched_to.map(|at| at.0),
            "messages": rows.iter().map(|(label, row)| hit(label, row)).collect::<Vec<_>>(),
        }),
        _ => return None,
    })
}

/// A row that was found, and where.
fn hit(label: &str, row: &Row) -> Value {
    let mut object = of_row(row);
    object["conversation"] = label.into();
    match row.conversation() {
        Conversation::With(user) => object["with"] = user.get().into(),
        Conversation::In(group) => object["groupid"] = group.get().into(),
    }
    object
}

/// What was done.
pub(super) fn done(deed: &Deed) -> Option<Value> {
    let (what, of, label, mut object) = match deed {
        Deed::Edited { of, label, pos, chg, text } => {
            ("edited", of, label, json!({"pos": pos, "chg": chg, "text": text}))
        }
        Deed::Recalled { of, label, pos, chg } => ("recalled", of, label, json!({"pos": pos, "chg": chg})),
        Deed::Reacted { of, label, pos, chg, emoji, on, .. } => {
            ("reacted", of, label, json!({"pos": pos, "chg": chg, "emoji": emoji, "on": on}))
        }
        _ => return None,
    };
    conversation(&mut object, "done", *of, label);
    object["what"] = what.into();
    Some(object)
}

/// A row of the history.
pub(super) fn of_row(it: &Row) -> Value {
    match it {
        Row::Said(message) => row(message),
        Row::Recalled(it) => recalled(it),
        Row::Happened(it) => event(it),
        _ => json!({}),
    }
}

pub(super) fn reactions(reactions: &[Reaction]) -> Vec<Value> {
    let object = |Reaction { emoji, n, mine }: &Reaction| json!({"emoji": emoji, "n": n, "mine": mine});
    reactions.iter().map(object).collect()
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Normal => "normal",
    }
}

/// As the protocol has it: 0 for not at all, -1 for ever.
pub(super) fn until(until: Until) -> Value {
    match until {
        Until::Lifted => 0.into(),
        Until::At(at) => at.0.into(),
        Until::Ever => (-1).into(),
    }
}

pub(super) fn joining(join: Joining) -> &'static str {
    match join {
        Joining::Open => "open",
        Joining::Ask => "ask",
        Joining::Closed => "closed",
    }
}

fn changed(label: &str, change: &Change) -> Value {
    let mut object = json!({"chg": change.chg, "pos": change.pos, "by": change.by.get(), "ts": change.ts.0});
    conversation(&mut object, "changed", change.conversation, label);
    if let Some(mid) = change.mid {
        object["mid"] = mid.0.to_string().into();
    }
    object["what"] = match &change.what {
        Some(Changed::Edited { text, rev }) => {
            (object["text"], object["rev"]) = (text.as_str().into(), (*rev).into());
            "edit"
        }
        Some(Changed::Recalled) => "recall",
        Some(Changed::Reacted { emoji, on, n }) => {
            (object["emoji"], object["on"]) = (emoji.as_str().into(), (*on).into());
            object["n"] = (*n).into();
            "react"
        }
        _ => "other",
    }
    .into();
    object
}

fn recalled(recalled: &Recalled) -> Value {
    json!({
        "recalled": true, "pos": recalled.pos, "mid": recalled.mid.0.to_string(), "by": recalled.by.get(),
        "ts": recalled.ts.0,
    })
}

fn event(event: &GroupEvent) -> Value {
    let mut object = json!({"groupid": event.group.get(), "by": event.by.id.get(), "name": event.by.name});
    mark(&mut object, &event.mark);
    if let Some(whom) = &event.whom {
        (object["userid"], object["username"]) = (whom.id.get().into(), whom.name.as_str().into());
    }
    let what = match &event.what {
        GroupChange::Joined => "joined",
        GroupChange::Left => "left",
        GroupChange::Kicked(_) => "kicked",
        GroupChange::Banned(_) => "banned",
        GroupChange::Muted(_) => "muted",
        GroupChange::Role(to) => {
            object["role"] = role(*to).into();
            "role"
        }
        GroupChange::Set { name, desc, join } => {
            let texts =
                [("groupname", name.as_deref()), ("groupdesc", desc.as_deref()), ("join", join.map(joining))];
            for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key, text?))) {
                object[key] = text.into();
            }
            "set"
        }
        GroupChange::Asks => "asks",
        GroupChange::Refused => "refused",
        GroupChange::Other(what) => what,
        _ => "other",
    };
    object["what"] = what.into();
    if let GroupChange::Kicked(end) | GroupChange::Banned(end) | GroupChange::Muted(end) = &event.what {
        object["until"] = until(*end);
    }
    object
}

fn friend(event: &FriendEvent, label: &str) -> Value {
    let mut object = json!({"kind": "friend_event", "id": event.id.get(), "name": label});
    object["what"] = match &event.what {
        FriendChange::Asks(note) => {
            object["note"] = note.as_str().into();
            "asks"
        }
        FriendChange::Accepted => "accepted",
        FriendChange::Gone => "gone",
        FriendChange::Own(deed) => {
            object["own"] = true.into();
            match deed {
                OwnDeed::Added => "added",
                OwnDeed::Gone => "gone",
                OwnDeed::Blocked => "blocked",
                OwnDeed::Unblocked => "unblocked",
                OwnDeed::Asked => "asked",
                OwnDeed::Refused => "refused",
            }
        }
        FriendChange::Other(what) => what,
        _ => "other",
    }
    .into();
    object
}

fn settings(settings: Settings) -> Value {
    let who = settings.who_writes.map(|who| match who {
        WhoWrites::All => "all",
        WhoWrites::Friends => "friends",
        WhoWrites::None => "none",
    });
    json!({"kind": "settings", "who_writes": who, "read_receipts": settings.read_receipts})
}
