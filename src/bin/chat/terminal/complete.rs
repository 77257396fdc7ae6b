//! Completion: commands, and the names that belong into them.

use crate::command::{COMMANDS, split_name};
use crate::talk::Talk;

/// What the text before the cursor may become: from which byte on, and into what.
pub fn complete(before: &str, talk: &Talk) -> (usize, Vec<String>) {
    let (from, candidates) = candidates(before, talk);
    let typed = &before[from..];
    let mut words: Vec<String> =
        candidates.into_iter().filter(|word| begins(word, typed) && word != typed).collect();
    words.sort();
    words.dedup();
    (from, words)
}

/// Whether a word begins with what was typed. Of a name that needs quotes, they need not be typed.
fn begins(word: &str, typed: &str) -> bool {
    let (word, typed) = (word.to_lowercase(), typed.to_lowercase());
    let mark = |word: &str| word.strip_prefix('#').map_or(0, |_| 1);
    let (word_mark, typed_mark) = (mark(&word), mark(&typed));
    let bare = word[word_mark..].strip_prefix('"').filter(|_| word_mark == typed_mark);
    word.starts_with(&typed) || bare.is_some_and(|name| name.starts_with(&typed[typed_mark..]))
}

fn candidates(before: &str, talk: &Talk) -> (usize, Vec<String>) {
    let users = || talk.directory.typed_users();
    let groups = || talk.directory.typed_groups();
    let marked = || groups().into_iter().map(|group| format!("#{group}"));
    if let Some((word, _)) = before.split_once(' ').filter(|(word, _)| word.starts_with('/')) {
        let from = word.len() + 1;
        return match word {
            "/open" | "/history" => (from, users().into_iter().chain(marked()).collect()),
            "/members" | "/joins" => (from, marked().collect()),
            "/role" | "/kick" | "/unban" | "/mute" | "/unmute" | "/accept" | "/refuse" => {
                // Behind the group that is named first.
                let from = from
                    + before[from..].strip_prefix('#').and_then(|rest| rest.find(' ')).map_or(0, |at| at + 2);
                (from, users().into_iter().chain(marked()).collect())
            }
            "/ask" => (from, users()),
            _ => (from, Vec::new()),
        };
    }
    match before.split_once(':') {
        Some((word @ "chat", rest)) if split_name(rest).1.is_none() || is_open_quote(rest) => {
            (word.len() + 1, users().into_iter().map(|user| format!("{user}:")).collect())
        }
        Some((word @ ("addfriend" | "delfriend" | "block" | "unblock" | "find"), _)) => {
            (word.len() + 1, users())
        }
        Some((word @ "history", rest)) => match rest.strip_prefix("group:") {
            Some(_) => (word.len() + "group:".len() + 1, groups()),
            None => (word.len() + 1, users().into_iter().chain(["group:".to_owned()]).collect()),
        },
        Some((word @ "groupchat", rest)) if split_name(rest).1.is_none() || is_open_quote(rest) => {
            (word.len() + 1, groups().into_iter().map(|group| format!("{group}:")).collect())
        }
        Some((word @ ("addgroup" | "delgroup" | "members"), _)) => (word.len() + 1, groups()),
        Some(_) => (before.len(), Vec::new()),
        None => (0, commands()),
    }
}

/// Whether a name in quotes is still being typed: what looks like a text after a colon belongs to it.
fn is_open_quote(rest: &str) -> bool {
    rest.starts_with('"') && rest.matches('"').count() % 2 == 1
}

/// The commands up to where something else is to be typed.
fn commands() -> Vec<String> {
    let written = COMMANDS.iter().flat_map(|(written, _)| written.split(", "));
    written
        .map(|written| match written.find([':', ' ']) {
            Some(end) => written[..=end].to_owned(),
            None => written.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::{GroupId, UserId};
    use chatd_client::{Event, Group, Person, Welcome};

    fn talk() -> Talk {
        let (mut talk, mut welcome) = (Talk::default(), Welcome::new(UserId::new(1).unwrap(), "amy".into()));
        let person =
            |id, name: &str| Person { id: UserId::new(id).unwrap(), name: name.into(), online: true };
        welcome.friends = vec![person(2, "bob"), person(3, "bo\u{202e}"), person(4, "Bea")];
        welcome.friends.extend([person(5, "a:b"), person(6, "77")]);
        welcome.groups = vec![Group::new(GroupId::new(9).unwrap(), "dev", "")];
        talk.hear(Event::LoggedIn { welcome, again: false }, &mut Vec::new());
        talk
    }

    #[test]
    fn commands_names_and_groups_are_completed() {
        let talk = talk();
        for (typed, from, words) in [
            ("sh", 0, &["showfriendlist"][..]),
            ("/q", 0, &["/quit"]),
            ("gr", 0, &["groupchat:"]),
            ("chat:b", 5, &["Bea:", "bob:"]),
            ("chat:bob:he", 11, &[]),
            ("groupchat:", 10, &["dev:"]),
            ("delgroup:d", 9, &["dev"]),
            ("history:b", 8, &["Bea", "bob"]),
            ("history:group:", 14, &["dev"]),
            ("/open ", 6, &["\"77\"", "\"a:b\"", "#dev", "3", "Bea", "bob"]),
            ("chat:a", 5, &["\"a:b\":"]),
            ("chat:\"a:", 5, &["\"a:b\":"]),
            ("chat:\"a:b\":x", 12, &[]),
            ("addfriend:7", 10, &["\"77\""]),
            ("/members #", 9, &["#dev"]),
            ("/kick b", 6, &["Bea", "bob"]),
            ("/kick #dev b", 11, &["Bea", "bob"]),
            ("/joins ", 7, &["#dev"]),
            ("hello b", 0, &[]),
        ] {
            let (at, found) = complete(typed, &talk);
            assert_eq!(
                (at, found.as_slice()),
                (from, &words.iter().map(|w| w.to_string()).collect::<Vec<_>>()[..]),
                "{typed}"
            );
        }
    }
}
