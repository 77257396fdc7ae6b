//! The conversation with the user: lines in, requests out; events in, things to show out.
//!
//! A plain value without a terminal and without a connection: a person's session and a script are
//! the same [`Talk`]. What events do to it is next door, in `hear`.

mod hear;
mod inside;
#[cfg(test)]
mod tests;

use crate::directory::Directory;
use crate::show::Shown;
use crate::visible::short;
use chatd::chat::ids::{GroupId, UserId};
use chatd::client::{Conversation, Message, Request, Ticket};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What the next line answers.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Menu,
    UserId,
    Password(UserId),
    NewName,
    NewPassword(String),
    Inside,
}

/// What is to be done after a line.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing.
    Go,
    /// Ask this; [`Talk::asked`] wants to know the ticket.
    Ask(Request, Pending),
    /// In a script: wait until so many messages have come.
    Wait(u64),
    /// The line could not be done; why was said.
    Bad,
    /// Leave.
    Leave,
}

/// What a request was for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pending {
    /// A login.
    Login,
    /// A registration, under this name.
    Register(String),
    /// A logout.
    Logout,
    /// A message.
    Say(Conversation, String),
    /// A friend more.
    AddFriend(UserId),
    /// A friend less.
    DelFriend(UserId),
    /// A new group: name, description.
    CreateGroup(String, String),
    /// To join.
    AddGroup(GroupId),
    /// To leave.
    DelGroup(GroupId),
    /// The friend list, for the user.
    Friends,
    /// The friend list, for the name of a new friend: the request that made it one waits for this.
    Meet(Ticket, UserId),
}

impl Pending {
    /// Whether nothing else makes sense before the answer is there.
    pub fn decides(&self) -> bool {
        matches!(self, Pending::Login | Pending::Register(_) | Pending::Logout)
    }
}

/// What the user is asked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prompt {
    /// Safe to show.
    pub text: String,
    /// Whether what is typed must not be seen.
    pub secret: bool,
    /// Whether what is typed belongs into the history.
    pub kept: bool,
    /// How often it has changed who is logged in; a line typed for another number is not taken.
    pub epoch: u64,
}

/// Messages of a conversation that is not open.
#[derive(Debug, Default)]
struct Unread {
    count: u32,
    last: VecDeque<Message>,
}

/// The last unread messages of a conversation are shown again when it is opened: so many.
const SHOWN_AGAIN: usize = 20;
/// Longest label in a prompt, in characters: some windows have twenty columns.
const PROMPT: usize = 12;

/// See the module.
#[derive(Debug)]
pub struct Talk {
    step: Step,
    epoch: u64,
    /// Names, for completion too.
    pub directory: Directory,
    open: Option<Conversation>,
    unread: BTreeMap<Conversation, Unread>,
    pending: HashMap<Ticket, Pending>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            step: Step::Menu,
            epoch: 0,
            directory: Directory::default(),
            open: None,
            unread: BTreeMap::new(),
            pending: HashMap::new(),
        }
    }
}

impl Talk {
    /// What the next line is asked for with.
    pub fn prompt(&self) -> Prompt {
        let text = match &self.step {
            Step::Menu => "choice: ".to_owned(),
            Step::UserId => "userid:".to_owned(),
            Step::NewName => "username:".to_owned(),
            Step::Password(_) | Step::NewPassword(_) => "userpassword:".to_owned(),
            Step::Inside => self.inside_prompt(),
        };
        let secret = matches!(self.step, Step::Password(_) | Step::NewPassword(_));
        Prompt { text, secret, kept: self.step == Step::Inside, epoch: self.epoch }
    }

    fn inside_prompt(&self) -> String {
        let Some(open) = self.open else { return "> ".to_owned() };
        let label = short(&self.directory.label(open), PROMPT);
        match self.unread.values().map(|unread| unread.count).sum::<u32>() {
            0 => format!("{label}> "),
            count => format!("{label} ({count} unread)> "),
        }
    }

    /// Whether nobody is logged in and the menu is due.
    pub fn is_at_menu(&self) -> bool {
        self.step == Step::Menu
    }

    /// Takes in a line.
    pub fn line(&mut self, line: &str, say: &mut Vec<Shown>) -> Next {
        match std::mem::replace(&mut self.step, Step::Menu) {
            Step::Menu => self.choice(line.trim(), say),
            Step::UserId => match line.trim().parse().ok().and_then(UserId::new) {
                Some(user) => self.then(Step::Password(user)),
                None => bad(say, "a userid is a number from 1 on"),
            },
            Step::Password(user) => Next::Ask(Request::Login { user, password: line.into() }, Pending::Login),
            Step::NewName => match line.trim() {
                "" => bad(say, "a name is not empty"),
                name => self.then(Step::NewPassword(name.to_owned())),
            },
            Step::NewPassword(name) => {
                let request = Request::Register { name: name.clone(), password: line.into() };
                Next::Ask(request, Pending::Register(name))
            }
            Step::Inside => {
                self.step = Step::Inside;
                self.inside(line, say)
            }
        }
    }

    fn then(&mut self, step: Step) -> Next {
        self.step = step;
        Next::Go
    }

    fn choice(&mut self, line: &str, say: &mut Vec<Shown>) -> Next {
        match line {
            "" => Next::Go,
            "1" | "login" => self.then(Step::UserId),
            "2" | "register" => self.then(Step::NewName),
            "3" | "quit" | "/quit" => Next::Leave,
            "help" | "/help" => {
                say.push(Shown::Help);
                Next::Go
            }
            _ => bad(say, "choose 1, 2 or 3: nobody is logged in"),
        }
    }

    /// The request that a line led to has this ticket.
    pub fn asked(&mut self, ticket: Ticket, pending: Pending) {
        self.pending.insert(ticket, pending);
    }

    /// The user thinks better of what was being answered.
    pub fn cancel(&mut self) {
        if self.step != Step::Inside {
            self.step = Step::Menu;
        }
    }

    /// Messages that the server has not answered.
    pub fn unanswered(&self) -> usize {
        self.pending.values().filter(|pending| matches!(pending, Pending::Say(..))).count()
    }

    /// Nobody is logged in from now on; what was asked for is still to be answered.
    fn leave(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        *self = Self { epoch: self.epoch + 1, pending, ..Self::default() };
    }
}

fn bad(say: &mut Vec<Shown>, why: &str) -> Next {
    say.push(Shown::Bad(why.to_owned()));
    Next::Bad
}
