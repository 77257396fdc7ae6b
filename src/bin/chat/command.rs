//! Lines to commands: the seed's ten, exactly, more in their manner, and the shorter ones that begin
//! with a slash.
//!
//! The first colon ends the command, the second the first argument; further ones belong to the text. A name in quotes
//! may have colons in it.

mod slash;
pub mod words;

use chatd_client::{Joining, Role, Settings};
use std::fmt;
use words::Term;

/// What a line asks for. Names are as typed: who is meant is for [`crate::directory`] to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// What there is.
    Help,
    /// To say something to a user.
    Chat(&'a str, &'a str),
    /// To say something in a group.
    GroupChat(&'a str, &'a str),
    /// A new friend.
    AddFriend(&'a str),
    /// A friend less.
    DelFriend(&'a str),
    /// Name and description.
    CreateGroup(&'a str, &'a str),
    /// To join.
    AddGroup(&'a str),
    /// To leave, or to dissolve.
    DelGroup(&'a str),
    /// Friends, asked of the server.
    Friends,
    /// What was said between a user and oneself, page by page backwards.
    HistoryWith(&'a str),
    /// The same in a group.
    HistoryIn(&'a str),
    /// The same in the open conversation.
    HistoryHere,
    /// Who is called so.
    Find(&'a str),
    /// To hear nothing from a user any more.
    Block(&'a str),
    /// To hear from a user again.
    Unblock(&'a str),
    /// Another password; both are asked for.
    Password,
    /// To be nobody again.
    Logout,
    /// To leave the program.
    Quit,
    /// A conversation, to which plain lines go from now on.
    Open(&'a str),
    /// No conversation any more.
    Close,
    /// The groups that are known.
    Groups,
    /// The members of a group, of the open one, where none is named.
    Members(Option<&'a str>),
    /// Which conversations have something new.
    Unread,
    /// In a script: wait until so many messages have come.
    Wait(u64),
    /// The user's devices.
    Devices,
    /// The end of the device in this line of the list.
    DropDevice(usize),
    /// To have read the open conversation.
    Read,
    /// Text for the open conversation.
    Say(&'a str),
    /// Text that replies to what stands at this place of the open conversation, or to what somebody said there last.
    Reply(Option<u64>, &'a str),
    /// Another text for what the user said at this place of the open conversation, or there last.
    Edit(Option<u64>, &'a str),
    /// What stands at this place of the open conversation taken back, or what the user said there last.
    Recall(Option<u64>),
    /// A reaction to what stands at this place, or to what somebody said last; and whether it begins or ends.
    React(Option<u64>, &'a str, bool),
    /// Whether places are to be shown.
    Places(bool),
    /// Where something was said, everywhere.
    Search(&'a str),
    /// Where something was said in the open conversation.
    SearchHere(&'a str),
    /// Another role for a member of this group, or of the open one.
    Role(Option<&'a str>, &'a str, Role),
    /// A member sent away, and banned for so long.
    Kick(Option<&'a str>, &'a str, Option<Term>),
    /// The end of a ban.
    Unban(Option<&'a str>, &'a str),
    /// A member, or all, muted for so long.
    Mute(Option<&'a str>, &'a str, Option<Term>),
    /// A member, or all, muted no more.
    Unmute(Option<&'a str>, &'a str),
    /// A group that is to be otherwise.
    SetGroup(Option<&'a str>, GroupSetting<'a>),
    /// Who wants to become a member.
    Joins(Option<&'a str>),
    /// Somebody let in, or accepted as a friend; or not.
    Answer(Option<&'a str>, &'a str, bool),
    /// A friendship asked for, with a note.
    Ask(&'a str, &'a str),
    /// What others may do; without anything: what is so now.
    Settings(Settings),
}

/// What is to be otherwise of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupSetting<'a> {
    /// Its name.
    Name(&'a str),
    /// Its description.
    Desc(&'a str),
    /// How it is joined.
    Join(Joining),
    /// Whose it is.
    Owner(&'a str),
}

/// Why a line is no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadCommand {
    /// No such command.
    Unknown(String),
    /// How it is written.
    Usage(&'static str),
}

impl fmt::Display for BadCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadCommand::Unknown(word) => write!(f, "no such command: {word} (help shows them)"),
            BadCommand::Usage(usage) => write!(f, "it is written {usage}"),
        }
    }
}

/// The commands: how each is written, and what it does. The seed's first, in its order.
pub const COMMANDS: [(&str, &str); 56] = [
    ("help", "show all commands"),
    ("chat:friendid:message", "say something to somebody"),
    ("addfriend:friendid", "add a friend"),
    ("delfriend:friendid", "remove a friend"),
    ("creategroup:groupname:groupdesc", "make a group"),
    ("addgroup:groupid", "join a group"),
    ("delgroup:groupid", "leave a group; your own is dissolved"),
    ("groupchat:groupid:message", "say something in a group"),
    ("showfriendlist", "show your friends and who is online"),
    ("history:friendid", "show what was said; the same again: what was before that"),
    ("history:group:groupid", "show what was said in a group, and before that"),
    ("members:groupid", "show who is in a group"),
    ("find:name", "show the id of somebody, and whether online"),
    ("block:userid", "hear nothing from somebody any more"),
    ("unblock:userid", "hear from somebody again"),
    ("password", "change your password; it asks for both"),
    ("loginout", "log out"),
    ("quit", "leave"),
    ("/open WHO", "talk to a friend, #GROUP or an id; then just type"),
    ("/close", "open conversation no more"),
    ("/say TEXT", "say TEXT even if it looks like a command"),
    ("/friends", "like showfriendlist"),
    ("/groups", "show your groups"),
    ("/members [#GROUP]", "like members, of the open group"),
    ("/history [WHO]", "like history, of the open conversation"),
    ("/unread", "show what you have not read"),
    ("/read", "mark the open conversation as read"),
    ("/devices", "show your devices"),
    ("/devices drop N", "send the device in line N away"),
    ("/reply [N] TEXT", "say TEXT as a reply to what was said to you last, or to message N"),
    ("/edit [N] TEXT", "put TEXT in the place of what you said last, or of message N"),
    ("/recall [N]", "take back what you said last, or message N"),
    ("/react [N] EMOJI", "react to what was said to you last, or to message N"),
    ("/unreact [N] EMOJI", "react so no more"),
    ("/places [off]", "show the number N of what comes; /history always does"),
    ("/search WORDS", "show where all of WORDS were said; the same again: what was before that"),
    ("/search here WORDS", "the same in the open conversation"),
    ("/ask WHO [NOTE]", "ask somebody to be your friend, and you theirs"),
    ("/accept WHO", "be friends with WHO who asks; in a group: let WHO in"),
    ("/refuse WHO", "or not"),
    ("/settings", "show who may write to you, and who sees what you have read"),
    ("/settings writes WHO", "let all, friends or none write to you"),
    ("/settings receipts on", "tell others what you have read, or not: off"),
    ("/role WHO ROLE", "make a member of the open group owner, admin or normal"),
    ("/kick WHO [TIME]", "send a member away, and keep out for 30m, 2h, 7d, till 14:30, for ever"),
    ("/unban WHO", "let somebody back in who was kept out"),
    ("/mute WHO [TIME]", "let a member, or all, say nothing for TIME; else until /unmute"),
    ("/unmute WHO", "let a member, or all, speak again"),
    ("/group name TEXT", "call the open group TEXT"),
    ("/group desc TEXT", "describe it so"),
    ("/group join HOW", "open: everybody may join; ask: you are asked; closed: nobody"),
    ("/group owner WHO", "hand it over"),
    ("/joins", "show who wants to join it"),
    ("/kick #GROUP WHO", "so with each of these, in another group than the open one"),
    ("/wait [N]", "in a script: wait for N messages"),
    ("/help, /quit", "like help and quit"),
];

/// How a command is written whose first word is this.
fn usage(word: &str) -> BadCommand {
    let written = COMMANDS.iter().map(|(written, _)| *written).find(|written| {
        written.strip_prefix(word).is_some_and(|rest| rest.starts_with([':', ' ']) || rest.is_empty())
    });
    written.map_or_else(|| BadCommand::Unknown(word.to_owned()), BadCommand::Usage)
}

/// Reads a line, which is not empty. `open`: whether a conversation is open, so that a line that is
/// no command is something to say.
///
/// # Errors
/// If the line is no command, or one without what belongs to it.
pub fn parse(line: &str, open: bool) -> Result<Command<'_>, BadCommand> {
    if let Some(rest) = line.strip_prefix('/') {
        let (word, argument) = rest.split_once(' ').unwrap_or((rest, ""));
        return slash::parse(&line[..=word.len()], argument);
    }
    let (word, rest) = match line.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (line, None),
    };
    let whole = rest.unwrap_or("");
    let (first, second) = match word {
        "creategroup" => split_at_colon(whole),
        _ => split_name(whole),
    };
    let command = match (word, rest) {
        ("help", None) => Some(Command::Help),
        ("showfriendlist", None) => Some(Command::Friends),
        ("password", None) => Some(Command::Password),
        ("loginout", None) => Some(Command::Logout),
        ("quit", None) => Some(Command::Quit),
        ("chat", Some(_)) => second.map(|text| Command::Chat(first, text)),
        ("groupchat", Some(_)) => second.map(|text| Command::GroupChat(first, text)),
        ("history", Some(_)) => Some(match (first, second) {
            ("group", Some(group)) => Command::HistoryIn(group),
            _ => Command::HistoryWith(whole),
        }),
        ("members", Some(_)) => Some(Command::Members(Some(whole))),
        ("find", Some(_)) => Some(Command::Find(whole)),
        ("block", Some(_)) => Some(Command::Block(whole)),
        ("unblock", Some(_)) => Some(Command::Unblock(whole)),
        ("addfriend", Some(_)) => Some(Command::AddFriend(whole)),
        ("delfriend", Some(_)) => Some(Command::DelFriend(whole)),
        ("creategroup", Some(_)) => Some(Command::CreateGroup(first, second.unwrap_or(""))),
        ("addgroup", Some(_)) => Some(Command::AddGroup(whole)),
        ("delgroup", Some(_)) => Some(Command::DelGroup(whole)),
        _ if open => return Ok(Command::Say(line)),
        _ => None,
    };
    match command {
        Some(Command::Chat(who, text) | Command::GroupChat(who, text))
            if who.is_empty() || text.is_empty() =>
        {
            Err(usage(word))
        }
        Some(
            Command::AddFriend("")
            | Command::DelFriend("")
            | Command::CreateGroup("", _)
            | Command::AddGroup("")
            | Command::DelGroup("")
            | Command::HistoryWith("")
            | Command::HistoryIn("")
            | Command::Members(Some(""))
            | Command::Find("")
            | Command::Block("")
            | Command::Unblock(""),
        )
        | None => Err(usage(word)),
        Some(command) => Ok(command),
    }
}

fn split_at_colon(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(first, second)| (first, Some(second)))
}

/// A name, perhaps in quotes, and what follows it after a colon.
pub fn split_name(text: &str) -> (&str, Option<&str>) {
    let quoted = text.strip_prefix('"').and_then(|inner| {
        // A quote in a name is written twice.
        let mut at = 0;
        loop {
            at += inner[at..].find('"')?;
            match inner[at + 1..].chars().next() {
                Some('"') => at += 2,
                Some(':') => return Some((&text[..at + 2], Some(&text[at + 3..]))),
                None => return Some((text, None)),
                Some(_) => return None,
            }
        }
    });
    quoted.unwrap_or_else(|| split_at_colon(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_commands_are_the_seeds() {
        for (line, command) in [
            ("help", Command::Help),
            ("chat:2:hello: you: there", Command::Chat("2", "hello: you: there")),
            ("addfriend:2", Command::AddFriend("2")),
            ("delfriend:2", Command::DelFriend("2")),
            ("chat:\"a:b\":c:d", Command::Chat("\"a:b\"", "c:d")),
            ("chat:\"a\"\":b\":c", Command::Chat("\"a\"\":b\"", "c")),
            ("chat:\"a:b", Command::Chat("\"a", "b")),
            ("chat:\"a\"b:c", Command::Chat("\"a\"b", "c")),
            ("groupchat:\"1\":c", Command::GroupChat("\"1\"", "c")),
            ("history:\"group\"", Command::HistoryWith("\"group\"")),
            ("history:group:\"a:b\"", Command::HistoryIn("\"a:b\"")),
            ("creategroup:\"a:b\":c", Command::CreateGroup("\"a", "b\":c")),
            ("creategroup:dev:we: build", Command::CreateGroup("dev", "we: build")),
            ("creategroup:dev", Command::CreateGroup("dev", "")),
            ("addgroup:1", Command::AddGroup("1")),
            ("delgroup:1", Command::DelGroup("1")),
            ("groupchat:1::x", Command::GroupChat("1", ":x")),
            ("showfriendlist", Command::Friends),
            ("history:ben", Command::HistoryWith("ben")),
            ("history:group", Command::HistoryWith("group")),
            ("history:group:tea", Command::HistoryIn("tea")),
            ("members:tea", Command::Members(Some("tea"))),
            ("find:ben", Command::Find("ben")),
            ("block:ben", Command::Block("ben")),
            ("unblock:7", Command::Unblock("7")),
            ("password", Command::Password),
            ("loginout", Command::Logout),
            ("quit", Command::Quit),
        ] {
            assert_eq!(parse(line, false), Ok(command.clone()), "{line}");
            assert_eq!(parse(line, true), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        for (line, written) in [
            ("chat:2", "chat:friendid:message"),
            ("chat:2:", "chat:friendid:message"),
            ("chat", "chat:friendid:message"),
            ("groupchat::x", "groupchat:groupid:message"),
            ("addfriend:", "addfriend:friendid"),
            ("history:", "history:friendid"),
            ("history:group:", "history:friendid"),
            ("block", "block:userid"),
            ("password:x", "password"),
            ("help:1", "help"),
            ("/open", "/open WHO"),
            ("/wait x", "/wait [N]"),
            ("/devices drop", "/devices drop N"),
            ("/devices drop x", "/devices drop N"),
            ("/read x", "/read"),
        ] {
            assert_eq!(parse(line, false), Err(BadCommand::Usage(written)), "{line}");
        }
        assert_eq!(parse("hallo", false), Err(BadCommand::Unknown("hallo".into())));
        assert_eq!(parse("/hallo you", true), Err(BadCommand::Unknown("/hallo".into())));
    }

    #[test]
    fn with_a_conversation_open_a_line_is_something_to_say() {
        assert_eq!(parse("hello: you", true), Ok(Command::Say("hello: you")));
        assert_eq!(parse("/say quit", true), Ok(Command::Say("quit")));
        assert_eq!(parse("/open  #dev ", true), Ok(Command::Open("#dev")));
        assert_eq!(parse("/history", true), Ok(Command::HistoryHere));
        assert_eq!(parse("/history #tea", true), Ok(Command::HistoryIn("#tea")));
        assert_eq!(parse("/members", false), Ok(Command::Members(None)));
        assert_eq!(parse("/wait 3", false), Ok(Command::Wait(3)));
        assert_eq!(parse("/devices", true), Ok(Command::Devices));
        assert_eq!(parse("/devices drop 2", false), Ok(Command::DropDevice(2)));
        assert_eq!(parse("/read", true), Ok(Command::Read));
    }
}
