//! Sentences for people: what becomes of messages, of groups and of friendships, who is typing and who has read.
//!
//! Names, notes, emoji and texts are as others typed them, and made safe here.

use super::Shown;
use super::text::{BOLD, DIM, GREEN, NAME, QUOTE, Style, plural};
use crate::visible::{short, visible};
use chatd_chat::model::ids::UserId;
use chatd_client::{
    Change, Changed, Conversation, FriendChange, FriendEvent, GroupChange, GroupEvent, Joining, Message,
    OwnDeed, Reaction, Role, Row, Settings, Somebody, Until, WhoWrites, clock,
};
use std::collections::BTreeMap;

/// Longest emoji that is shown whole, in characters: some are made of many.
const EMOJI: usize = 20;

impl Style {
    /// The lines, where it is something of this kind.
    pub(super) fn happened(&self, shown: &Shown) -> Option<Vec<String>> {
        Some(match shown {
            Shown::Changed { label, by, change, words } => self.changed(label, by, change, words.as_deref()),
            Shown::Recalled { label, by, recalled } => {
                let place = place(label, recalled.conversation);
                vec![
                    self.paint(
                        DIM,
                        &format!("{place}{} took back message {}", short(by, NAME), recalled.pos),
                    ),
                ]
            }
            Shown::Stored { places, words, .. } => {
                let named =
                    places.iter().zip(words).filter_map(|((_, pos), words)| Some((pos, words.as_ref()?)));
                named.map(|(pos, words)| self.paint(DIM, &format!("{pos}: {words}"))).collect()
            }
            Shown::Places(true) => {
                vec![self.paint(DIM, "what comes is numbered from now on; /places off ends it")]
            }
            Shown::Places(false) => vec![self.paint(DIM, "what comes is not numbered any more")],
            Shown::Group { event, label, me, asked } => {
                let sentence = format!("{}: {}", short(label, NAME), self.event(event, *me));
                vec![self.paint(if *asked { GREEN } else { DIM }, &sentence)]
            }
            Shown::Joins { label, users, .. } => {
                let head = match users.len() {
                    0 => format!("nobody asks to join {}", short(label, NAME)),
                    count => format!(
                        "{count} {} to join {}: /accept WHO, /refuse WHO",
                        asks(count),
                        short(label, NAME)
                    ),
                };
                let names =
                    users.iter().map(|user| format!("{:>5}  {}", user.id, self.name(user.id, &user.name)));
                std::iter::once(head).chain(names).collect()
            }
            Shown::Friend { event, label, news: true } => vec![self.friend(event, label)],
            Shown::Friend { .. } => Vec::new(),
            Shown::Settings(settings) => settings_lines(*settings),
            Shown::Sought { .. } => self.sought(shown),
            Shown::Typing { .. } | Shown::Read { .. } => self.presence_of_others(shown),
            _ => return None,
        })
    }

    /// What holds for a moment only: a script is not told.
    fn presence_of_others(&self, shown: &Shown) -> Vec<String> {
        let sentence = match shown {
            Shown::Typing { name, news: true, .. } => format!("{} is typing", short(name, NAME)),
            Shown::Read { name, all_mine: Some(true), .. } => {
                format!("{} has read what you said", short(name, NAME))
            }
            Shown::Read { name, pos, all_mine: Some(false), .. } => {
                format!("{} has read up to {pos}", short(name, NAME))
            }
            _ => return Vec::new(),
        };
        if self.short { vec![self.paint(DIM, &sentence)] } else { Vec::new() }
    }

    fn sought(&self, shown: &Shown) -> Vec<String> {
        let Shown::Sought { words, rows, more, searched_to } = shown else { return Vec::new() };
        let head = match rows.len() {
            0 => format!("nothing is found of {}", short(words, QUOTE)),
            count => format!("{count} {} of {}", plural(count, "message"), short(words, QUOTE)),
        };
        let mut lines = vec![self.paint(BOLD, &head)];
        lines.extend(rows.iter().rev().filter_map(|(label, row)| self.hit(label, row.message()?)));
        if let Some(at) = searched_to.and_then(clock::local_time_at) {
            lines.push(self.paint(DIM, &format!("what was said after {at} is not searched yet")));
        }
        lines.extend(more.then(|| self.paint(DIM, "the same again shows what was before")));
        lines
    }

    /// A page of what was said, each row with its number.
    pub(super) fn history(
        &self,
        label: &str,
        rows: &[Row],
        complete: bool,
        (me, by): (Option<UserId>, &BTreeMap<UserId, String>),
    ) -> Vec<String> {
        let (label, pos) = (short(label, NAME), |row: Option<&Row>| row?.pos());
        let head = match (pos(rows.first()), pos(rows.last())) {
            (Some(first), Some(last)) => format!("{label}, messages {first} to {last}"),
            _ if rows.is_empty() => format!("{label}: nothing was said before"),
            _ => label,
        };
        let mut lines = vec![self.paint(BOLD, &head)];
        lines.extend(rows.iter().map(|row| {
            let number = row.pos().map(|pos| self.paint(DIM, &format!("{pos:>4}  "))).unwrap_or_default();
            let line = match row {
                Row::Said(message) => self.said(message),
                Row::Recalled(recalled) => {
                    let by = by.get(&recalled.by).map_or("somebody", String::as_str);
                    self.paint(DIM, &format!("taken back by {}", short(by, NAME)))
                }
                Row::Happened(event) => self.paint(DIM, &self.event(event, me)),
                _ => self.paint(DIM, "something that this program is too old to show"),
            };
            number + &line
        }));
        if !complete {
            lines.push(self.paint(DIM, "not all that was said there is kept"));
        }
        if pos(rows.first()).is_some_and(|first| first > 1) {
            lines.push(self.paint(DIM, "the same again shows what was before"));
        }
        lines
    }

    fn said(&self, message: &Message) -> String {
        let name = self.name(message.from, &message.name);
        let edited = if message.rev > 0 { self.paint(DIM, " (edited)") } else { String::new() };
        let reactions: String = message.reactions.iter().map(|reaction| self.reaction(reaction)).collect();
        format!("{} {name}: {}{edited}{reactions}", self.time(&message.time), self.words(message, None))
    }

    fn reaction(&self, Reaction { emoji, n, mine }: &Reaction) -> String {
        let count = if *n > 1 { format!(" {n}") } else { String::new() };
        self.paint(if *mine { GREEN } else { DIM }, &format!("  {}{count}", short(emoji, EMOJI)))
    }

    fn hit(&self, label: &str, message: &Message) -> Option<String> {
        let number = message.mark.pos.map(|pos| format!(" {pos}")).unwrap_or_default();
        Some(format!(
            "{}{} {}",
            self.paint(BOLD, &short(label, NAME)),
            self.paint(DIM, &number),
            self.said(message)
        ))
    }

    fn changed(&self, label: &str, by: &str, change: &Change, words: Option<&str>) -> Vec<String> {
        let (place, by, pos) = (place(label, change.conversation), short(by, NAME), change.pos);
        // `words` are safe already.
        let which = words.map(|words| format!("{pos} ({words})")).unwrap_or_else(|| pos.to_string());
        let head = |what: String| self.paint(DIM, &format!("{place}{by} {what}"));
        vec![match &change.what {
            Some(Changed::Edited { text, .. }) => head(format!("edited message {pos}: ")) + &visible(text),
            Some(Changed::Recalled) => head(format!("took back message {pos}")),
            Some(Changed::Reacted { emoji, on: true, .. }) => {
                head(format!("reacted with {} to message {which}", short(emoji, EMOJI)))
            }
            Some(Changed::Reacted { emoji, on: false, .. }) => {
                head(format!("took {} back from message {which}", short(emoji, EMOJI)))
            }
            _ => return Vec::new(),
        }]
    }

    fn friend(&self, event: &FriendEvent, label: &str) -> String {
        let name = self.name(event.id, label);
        match &event.what {
            FriendChange::Asks(note) => {
                let note = if note.is_empty() { String::new() } else { format!(": {}", visible(note)) };
                let hint = self.paint(DIM, " (/accept WHO or /refuse WHO)");
                format!("{name} asks to be your friend{note}{hint}")
            }
            FriendChange::Accepted => format!("{name} {}", self.paint(GREEN, "is your friend now")),
            FriendChange::Gone => format!("{name} {}", self.paint(DIM, "is your friend no more")),
            FriendChange::Own(deed) => {
                let what = match deed {
                    OwnDeed::Added => "is on your list of friends now",
                    OwnDeed::Gone => "is on your list of friends no more",
                    OwnDeed::Blocked => "is blocked now",
                    OwnDeed::Unblocked => "is heard again",
                    OwnDeed::Asked => "is asked to be your friend",
                    OwnDeed::Refused => "is refused",
                };
                format!("{name} {}", self.paint(DIM, &format!("{what}, by another device of yours")))
            }
            _ => format!("{name} {}", self.paint(DIM, "did something that this program is too old to know")),
        }
    }

    /// What happened to a group, as a sentence.
    fn event(&self, event: &GroupEvent, me: Option<UserId>) -> String {
        let is_me = |who: &Somebody| me == Some(who.id);
        let name = |who: &Somebody| match (is_me(who), who.name.as_str()) {
            (true, _) => "you".to_owned(),
            (false, "") => who.id.to_string(),
            (false, name) => short(name, NAME),
        };
        let was =
            |who: &Somebody| if is_me(who) { "you were".to_owned() } else { format!("{} was", name(who)) };
        let (by, whom) = (name(&event.by), event.whom.as_ref());
        let concerned = event.concerns();
        match (&event.what, whom) {
            (GroupChange::Joined, Some(whom)) => format!("{by} let {} in", name(whom)),
            (GroupChange::Joined, None) => format!("{by} joined"),
            (GroupChange::Left, _) => format!("{by} left"),
            (GroupChange::Role(role), _) => {
                let role = match role {
                    Role::Owner => "the owner",
                    Role::Admin => "an admin",
                    Role::Normal => "an ordinary member",
                };
                format!("{} made {role} by {by}", was(concerned))
            }
            (GroupChange::Kicked(Until::Lifted), _) => format!("{} sent away by {by}", was(concerned)),
            (GroupChange::Kicked(until), _) => {
                format!("{} sent away by {by}, and is kept out{}", was(concerned), self.until(*until))
            }
            (GroupChange::Banned(Until::Lifted), _) => format!("{by} let {} come back", name(concerned)),
            (GroupChange::Banned(until), _) => {
                format!("{} kept out by {by}{}", was(concerned), self.until(*until))
            }
            (GroupChange::Muted(Until::Lifted), Some(whom)) => {
                format!("{by} let {} speak again", name(whom))
            }
            (GroupChange::Muted(Until::Lifted), None) => format!("{by} let everybody speak again"),
            (GroupChange::Muted(until), Some(whom)) => {
                format!("{} muted by {by}{}", was(whom), self.until(*until))
            }
            (GroupChange::Muted(until), None) => format!("all were muted by {by}{}", self.until(*until)),
            (GroupChange::Set { name, desc, join }, _) => format!("{by} {}", set(name, desc, *join)),
            (GroupChange::Asks, _) => format!("{by} asks to join (/joins, /accept WHO, /refuse WHO)"),
            (GroupChange::Refused, _) => format!("{} not let in by {by}", was(concerned)),
            _ => format!("{by} did something that this program is too old to know"),
        }
    }

    /// ` until 14:30`, ` for ever`.
    pub(super) fn until(&self, until: Until) -> String {
        match until {
            Until::Lifted => String::new(),
            Until::Ever => " until further notice".to_owned(),
            Until::At(at) => match clock::local_time_at(at) {
                None => " for ever".to_owned(),
                Some(time) if self.short && time.starts_with(&self.today) => {
                    format!(" until {}", &time[11..16])
                }
                Some(time) => format!(" until {}", &time[..16]),
            },
        }
    }
}

/// A group's name before what happens in it.
fn place(label: &str, conversation: Conversation) -> String {
    match conversation {
        Conversation::With(_) => String::new(),
        Conversation::In(_) => format!("{} ", short(label, NAME)),
    }
}

fn asks(count: usize) -> &'static str {
    if count == 1 { "user asks" } else { "users ask" }
}

fn set(name: &Option<String>, desc: &Option<String>, join: Option<Joining>) -> String {
    let name = name.as_ref().map(|name| format!("called it #{}", short(name, NAME)));
    let desc = desc.as_ref().map(|desc| match desc.as_str() {
        "" => "took its description away".to_owned(),
        desc => format!("described it so: {}", visible(desc)),
    });
    let join = join.map(|join| {
        match join {
            Joining::Open => "let everybody join from now on",
            Joining::Ask => "let those join who ask and are let in",
            Joining::Closed => "let nobody join any more",
        }
        .to_owned()
    });
    let parts: Vec<String> = [name, join, desc].into_iter().flatten().collect();
    if parts.is_empty() { "changed something of it".to_owned() } else { parts.join(", ") }
}

fn settings_lines(settings: Settings) -> Vec<String> {
    let who = settings.who_writes.map(|who| match who {
        WhoWrites::All => "everybody may write to you",
        WhoWrites::Friends => "your friends may write to you",
        WhoWrites::None => "nobody may write to you",
    });
    let receipts = settings.read_receipts.map(|on| match on {
        true => "others are told what you have read",
        false => "nobody is told what you have read",
    });
    [who, receipts].into_iter().flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::{GroupId, Millis};
    use chatd_client::Mark;

    const STYLE: Style = Style { colours: false, short: true, today: String::new() };

    fn somebody(id: u64, name: &str) -> Somebody {
        Somebody { id: UserId::new(id).unwrap(), name: name.to_owned() }
    }

    fn sentence(whom: Option<Somebody>, what: GroupChange) -> String {
        let group = GroupId::new(1).unwrap();
        let event = GroupEvent::new(group, Mark::default(), somebody(2, "a\x1bmy"), whom, what);
        let me = UserId::new(1);
        let shown = Shown::Group { event, label: "#t\u{202e}ea".into(), me, asked: false };
        STYLE.lines(&shown).strip_prefix("#t\\u{202e}ea: ").expect("the group").trim_end().to_owned()
    }

    #[test]
    fn what_happens_to_a_group_is_a_sentence_and_safe() {
        let today = Style { today: clock::local_time()[..10].to_owned(), ..STYLE };
        let at = clock::now();
        let shown = clock::local_time_at(at).unwrap();
        assert_eq!(today.until(Until::At(at)), format!(" until {}", &shown[11..16]));
        let (ben, you) = (|| Some(somebody(3, "ben")), || Some(somebody(1, "me")));
        let forever = Until::At(Millis(u64::MAX));
        for (whom, what, said) in [
            (None, GroupChange::Joined, "a\\x1bmy joined"),
            (you(), GroupChange::Joined, "a\\x1bmy let you in"),
            (None, GroupChange::Left, "a\\x1bmy left"),
            (ben(), GroupChange::Muted(forever), "ben was muted by a\\x1bmy for ever"),
            (you(), GroupChange::Muted(Until::Ever), "you were muted by a\\x1bmy until further notice"),
            (None, GroupChange::Muted(Until::Ever), "all were muted by a\\x1bmy until further notice"),
            (None, GroupChange::Muted(Until::Lifted), "a\\x1bmy let everybody speak again"),
            (ben(), GroupChange::Kicked(Until::Lifted), "ben was sent away by a\\x1bmy"),
            (ben(), GroupChange::Kicked(forever), "ben was sent away by a\\x1bmy, and is kept out for ever"),
            (ben(), GroupChange::Banned(Until::Lifted), "a\\x1bmy let ben come back"),
            (ben(), GroupChange::Role(Role::Admin), "ben was made an admin by a\\x1bmy"),
            (you(), GroupChange::Refused, "you were not let in by a\\x1bmy"),
            (None, GroupChange::Asks, "a\\x1bmy asks to join (/joins, /accept WHO, /refuse WHO)"),
            (
                None,
                GroupChange::Set {
                    name: Some("x\x07".into()),
                    desc: Some("d\u{9b}".into()),
                    join: Some(Joining::Ask),
                },
                "a\\x1bmy called it #x\\x07, let those join who ask and are let in, described it so: d\\u{9b}",
            ),
            (
                None,
                GroupChange::Other("x\x1b".into()),
                "a\\x1bmy did something that this program is too old to know",
            ),
        ] {
            assert_eq!(sentence(whom, what), said);
        }
    }

    #[test]
    fn a_script_is_not_told_who_is_typing() {
        let ben = UserId::new(2).unwrap();
        let (to, label, name) = (Conversation::With(ben), String::new(), "b\x1ben".to_owned());
        let typing = Shown::Typing { to, label, by: ben, name, on: true, news: true };
        assert_eq!(STYLE.lines(&typing), "b\\x1ben is typing\n");
        assert_eq!(Style { short: false, ..STYLE }.lines(&typing), "");
    }

    #[test]
    fn emoji_and_notes_of_others_touch_no_terminal() {
        let ben = UserId::new(2).unwrap();
        let note = FriendChange::Asks("\x1b[2J".into());
        let event = FriendEvent::new(ben, None, note);
        let asks = Shown::Friend { event, label: "b\x07en".into(), news: true };
        assert_eq!(
            STYLE.lines(&asks),
            "b\\x07en asks to be your friend: \\x1b[2J (/accept WHO or /refuse WHO)\n"
        );
        let mut message = Message::new(Conversation::With(ben), ben, "ben", "hi", "t");
        message.rev = 1;
        message.reactions = vec![Reaction { emoji: "👍\x1b".into(), n: 2, mine: false }];
        let rows = vec![Row::Said(message)];
        let shown = Shown::History {
            of: Conversation::With(ben),
            label: "ben".into(),
            rows,
            complete: true,
            me: None,
            by: BTreeMap::new(),
        };
        assert_eq!(STYLE.lines(&shown), "ben\nt ben: hi (edited)  👍\\x1b 2\n");
    }
}
