//! The commands that begin with a slash.

use super::words::{self, first, group, last, place};
use super::{BadCommand, Command, GroupSetting, usage};
use chatd_client::{Settings, WhoWrites};

/// Reads one, of which `word` is the command with its slash.
///
/// # Errors
/// If there is no such command, or something is missing.
pub(super) fn parse<'a>(word: &'a str, argument: &'a str) -> Result<Command<'a>, BadCommand> {
    let trimmed = argument.trim();
    match (word, trimmed) {
        ("/open", "") | ("/say", "") => Err(usage(word)),
        ("/open", who) => Ok(Command::Open(who)),
        ("/say", _) => Ok(Command::Say(argument)),
        ("/history", "") => Ok(Command::HistoryHere),
        ("/history", who) if who.starts_with('#') => Ok(Command::HistoryIn(who)),
        ("/history", who) => Ok(Command::HistoryWith(who)),
        ("/members", "") => Ok(Command::Members(None)),
        ("/members", group) => Ok(Command::Members(Some(group))),
        ("/wait", "") => Ok(Command::Wait(1)),
        ("/wait", count) => count.parse().map(Command::Wait).map_err(|_| usage(word)),
        ("/read", "") => Ok(Command::Read),
        ("/devices", "") => Ok(Command::Devices),
        ("/devices", rest) => {
            let number = rest.strip_prefix("drop ").and_then(|number| number.trim().parse().ok());
            number.map(Command::DropDevice).ok_or(BadCommand::Usage("/devices drop N"))
        }
        ("/close", "") => Ok(Command::Close),
        ("/friends", "") => Ok(Command::Friends),
        ("/groups", "") => Ok(Command::Groups),
        ("/unread", "") => Ok(Command::Unread),
        ("/help", "") => Ok(Command::Help),
        ("/quit", "") => Ok(Command::Quit),
        ("/reply" | "/edit" | "/recall" | "/react" | "/unreact" | "/places" | "/search", _) => {
            of_messages(word, trimmed).ok_or_else(|| usage(word))
        }
        ("/role" | "/kick" | "/unban" | "/mute" | "/unmute" | "/group" | "/joins", _) => {
            of_groups(word, trimmed).ok_or_else(|| usage(word))
        }
        ("/accept" | "/refuse" | "/ask" | "/settings", _) => {
            of_people(word, trimmed).ok_or_else(|| usage(word))
        }
        _ => Err(usage(word)),
    }
}

fn of_messages<'a>(word: &str, text: &'a str) -> Option<Command<'a>> {
    let (pos, rest) = place(text);
    match word {
        "/reply" => (!rest.is_empty()).then_some(Command::Reply(pos, rest)),
        "/edit" => (!rest.is_empty()).then_some(Command::Edit(pos, rest)),
        "/recall" => rest.is_empty().then_some(Command::Recall(pos)),
        "/react" | "/unreact" => {
            let on = word == "/react";
            (!rest.is_empty()).then_some(Command::React(pos, rest, on))
        }
        "/places" => match text {
            "" | "on" => Some(Command::Places(true)),
            "off" => Some(Command::Places(false)),
            _ => None,
        },
        _ => match first(text) {
            ("here", words) if !words.is_empty() => Some(Command::SearchHere(words)),
            _ => (!text.is_empty()).then_some(Command::Search(text)),
        },
    }
}

fn of_groups<'a>(word: &str, text: &'a str) -> Option<Command<'a>> {
    let (group, rest) = group(text);
    if word == "/joins" {
        return rest.is_empty().then_some(Command::Joins(group));
    }
    if word == "/group" {
        return set(group, rest);
    }
    if rest.is_empty() {
        return None;
    }
    let (who, term) =
        last(rest, words::term).map_or((rest, None), |(who, term)| (without_for(who), Some(term)));
    Some(match word {
        "/role" => {
            let (who, role) = last(rest, words::role)?;
            Command::Role(group, who, role)
        }
        "/kick" => Command::Kick(group, who, term),
        "/unban" => Command::Unban(group, rest),
        "/mute" => Command::Mute(group, who, term),
        _ => Command::Unmute(group, rest),
    })
}

/// `ben for 2h` and `ben till 14:30` are what people type.
fn without_for(who: &str) -> &str {
    let ends = [" for", " till", " until"];
    ends.iter().find_map(|end| who.strip_suffix(end)).map_or(who, str::trim_end)
}

fn set<'a>(group: Option<&'a str>, text: &'a str) -> Option<Command<'a>> {
    let (what, value) = first(text);
    let setting = match (what, value) {
        ("desc", value) => GroupSetting::Desc(value),
        (_, "") => return None,
        ("name", value) => GroupSetting::Name(value),
        ("join", value) => GroupSetting::Join(words::joining(value)?),
        ("owner", value) => GroupSetting::Owner(value),
        _ => return None,
    };
    Some(Command::SetGroup(group, setting))
}

fn of_people<'a>(word: &str, text: &'a str) -> Option<Command<'a>> {
    match word {
        "/ask" => {
            let (who, note) = first(text);
            (!who.is_empty()).then_some(Command::Ask(who, note))
        }
        "/settings" => settings(text).map(Command::Settings),
        _ => {
            let (group, who) = group(text);
            (!who.is_empty()).then_some(Command::Answer(group, who, word == "/accept"))
        }
    }
}

fn settings(text: &str) -> Option<Settings> {
    let who_writes = |who| Settings { who_writes: Some(who), read_receipts: None };
    let receipts = |on| Settings { who_writes: None, read_receipts: Some(on) };
    Some(match first(text) {
        ("", "") => Settings::default(),
        ("writes", "all") => who_writes(WhoWrites::All),
        ("writes", "friends") => who_writes(WhoWrites::Friends),
        ("writes", "none") => who_writes(WhoWrites::None),
        ("receipts", "on") => receipts(true),
        ("receipts", "off") => receipts(false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::Term;
    use super::super::{BadCommand, Command, GroupSetting, parse};
    use chatd_client::{Joining, Role, Settings, WhoWrites};

    #[test]
    fn what_was_said_is_changed_by_its_place_or_as_the_last_one() {
        for (line, command) in [
            ("/reply that one", Command::Reply(None, "that one")),
            ("/reply 12 that one", Command::Reply(Some(12), "that one")),
            ("/edit better so", Command::Edit(None, "better so")),
            ("/edit 12 better so", Command::Edit(Some(12), "better so")),
            ("/edit . 12 apples", Command::Edit(None, "12 apples")),
            ("/recall", Command::Recall(None)),
            ("/recall 7", Command::Recall(Some(7))),
            ("/react 👍", Command::React(None, "👍", true)),
            ("/react 3 👍", Command::React(Some(3), "👍", true)),
            ("/unreact 3 👍", Command::React(Some(3), "👍", false)),
            ("/places", Command::Places(true)),
            ("/places off", Command::Places(false)),
            ("/search green tea", Command::Search("green tea")),
            ("/search here green tea", Command::SearchHere("green tea")),
            ("/search here", Command::Search("here")),
        ] {
            assert_eq!(parse(line, false), Ok(command.clone()), "{line}");
            assert_eq!(parse(line, true), Ok(command), "{line}");
        }
    }

    #[test]
    fn groups_are_run_and_people_asked() {
        let hour = Some(Term::For(std::time::Duration::from_secs(3_600)));
        for (line, command) in [
            ("/role amy lee admin", Command::Role(None, "amy lee", Role::Admin)),
            ("/role #tea ben owner", Command::Role(Some("#tea"), "ben", Role::Owner)),
            ("/kick ben", Command::Kick(None, "ben", None)),
            ("/kick amy lee 1h", Command::Kick(None, "amy lee", hour)),
            ("/kick amy lee for 1h", Command::Kick(None, "amy lee", hour)),
            ("/kick \"ben 1h\"", Command::Kick(None, "\"ben 1h\"", None)),
            ("/unban ben", Command::Unban(None, "ben")),
            ("/mute #\"tea room\" ben ever", Command::Mute(Some("#\"tea room\""), "ben", Some(Term::Ever))),
            ("/mute all 14:30", Command::Mute(None, "all", Some(Term::At(14, 30)))),
            ("/unmute all", Command::Unmute(None, "all")),
            ("/group name Tea Room", Command::SetGroup(None, GroupSetting::Name("Tea Room"))),
            ("/group #tea desc", Command::SetGroup(Some("#tea"), GroupSetting::Desc(""))),
            ("/group join ask", Command::SetGroup(None, GroupSetting::Join(Joining::Ask))),
            ("/group owner ben", Command::SetGroup(None, GroupSetting::Owner("ben"))),
            ("/joins", Command::Joins(None)),
            ("/accept ben", Command::Answer(None, "ben", true)),
            ("/refuse #tea ben", Command::Answer(Some("#tea"), "ben", false)),
            ("/ask \"amy lee\" it is me", Command::Ask("\"amy lee\"", "it is me")),
            ("/settings", Command::Settings(Settings::default())),
            (
                "/settings writes friends",
                Command::Settings(Settings { who_writes: Some(WhoWrites::Friends), read_receipts: None }),
            ),
            (
                "/settings receipts off",
                Command::Settings(Settings { who_writes: None, read_receipts: Some(false) }),
            ),
        ] {
            assert_eq!(parse(line, true), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        for (line, written) in [
            ("/edit", "/edit [N] TEXT"),
            ("/edit 12", "/edit [N] TEXT"),
            ("/recall that", "/recall [N]"),
            ("/react", "/react [N] EMOJI"),
            ("/role ben", "/role WHO ROLE"),
            ("/role ben king", "/role WHO ROLE"),
            ("/kick", "/kick WHO [TIME]"),
            ("/mute", "/mute WHO [TIME]"),
            ("/group", "/group name TEXT"),
            ("/group join maybe", "/group name TEXT"),
            ("/ask", "/ask WHO [NOTE]"),
            ("/accept", "/accept WHO"),
            ("/settings writes nobody", "/settings"),
            ("/search", "/search WORDS"),
        ] {
            assert_eq!(parse(line, true), Err(BadCommand::Usage(written)), "{line}");
        }
    }
}
