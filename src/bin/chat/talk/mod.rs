//! The conversation with the user: lines in, requests out; events in, things to show out.
//!
//! A plain value without a terminal and without a connection: a person's session and a script are
//! the same [`Talk`]. Lines of nobody are in `menu`, those of somebody in `inside`; who is meant by
//! a name is in `seek`; what events do is in `hear`; what is said of devices in `devices`. What is done to messages is
//! in `changes`, to groups in `groups`, and of people in `people`; `recent` knows where messages stand.

mod changes;
mod devices;
mod groups;
mod hear;
mod inside;
mod menu;
mod people;
mod recent;
mod seek;
#[cfg(test)]
mod tests;

use crate::directory::Directory;
use crate::show::Shown;
use crate::visible::short;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_client::{Conversation, KnownDevice, Member, Message, Named, Request, RequestId, Secret, Takeover};
use groups::Ruling;
use recent::Recent;
use seek::Then;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// What the next line answers.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Menu,
    Who,
    Password(Named),
    TakeOver(Named, Secret),
    NewName,
    NewPassword(String),
    Inside,
    OldPassword,
    ChangedPassword(Secret),
}

/// What to do when the user who logs in is logged in somewhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Elsewhere {
    /// Ask whether that session is to end.
    #[default]
    Ask,
    /// Be refused.
    Leave,
    /// End that session.
    TakeOver,
}

/// What is to be done after a line.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing.
    Go,
    /// Ask this; [`Talk::asked`] wants to know the request_id.
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
    /// A login, and what to try it with once more.
    Login(Named, Secret, Takeover),
    /// A login by an application's word, or a session that goes on with it.
    LoginJwt,
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
    /// The friend list, for the name of a new friend.
    Meet(UserId),
    /// Who is called this, for the user.
    Find(String),
    /// Who is called this, for something that is to be done then.
    Seek(String, Then),
    /// A page of what was said.
    History(Conversation),
    /// Members of a group, and those of the pages before.
    Members(GroupId, Vec<Member>),
    /// To hear nothing from somebody.
    Block(UserId),
    /// To hear from somebody again.
    Unblock(UserId),
    /// Another password.
    ChangePassword,
    /// The devices.
    Devices,
    /// The end of the device that is called this.
    DropDevice(String),
    /// To have read what was said.
    Read(Conversation),
    /// Another text at this place.
    Edit(Conversation, u64, String),
    /// What stands at this place taken back.
    Recall(Conversation, u64),
    /// A reaction to what stands at this place, and whether it begins or ends.
    React(Conversation, u64, String, bool),
    /// Where these words were said.
    Search(Option<Conversation>, String),
    /// A group that is run.
    Rule(Ruling),
    /// Who wants to become a member.
    Joins(GroupId),
    /// To ask somebody for friendship.
    Ask(UserId),
    /// To accept somebody's, or not.
    AnswerFriend(UserId, bool),
    /// What others may do.
    Settings,
    /// A part of what this other request_id stands for.
    For(RequestId, Box<Pending>),
}

impl Pending {
    /// Whether nothing else makes sense before the answer is there.
    pub fn decides(&self) -> bool {
        matches!(
            self,
            Pending::Login(..)
                | Pending::LoginJwt
                | Pending::Register(_)
                | Pending::Logout
                | Pending::ChangePassword
                | Pending::Seek(_, Then::Open)
        )
    }

    fn is_message(&self) -> bool {
        match self {
            Pending::Say(..) | Pending::Seek(_, Then::Chat(_)) => true,
            Pending::For(_, part) => part.is_message(),
            _ => false,
        }
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
    pending: HashMap<RequestId, Pending>,
    /// What the last page of history was of, and where it began: the same again goes on before it.
    paging: Option<(Conversation, u64)>,
    elsewhere: Elsewhere,
    /// What lets one register where not everybody may.
    invitation: Option<Secret>,
    /// Who is logged in.
    me: Option<UserId>,
    /// The devices, as they were shown last.
    devices: Vec<KnownDevice>,
    /// How far each conversation is known to go.
    places: BTreeMap<Conversation, u64>,
    recent: Recent,
    /// Whether the user wants to see the places of what comes.
    shows_places: bool,
    searching: Option<changes::Searching>,
    /// Who wants to be a friend.
    asking: BTreeSet<UserId>,
    /// Who is typing where, and when that ends by itself.
    typing: HashMap<(Conversation, UserId), Instant>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            step: Step::Menu,
            paging: None,
            elsewhere: Elsewhere::Ask,
            invitation: None,
            epoch: 0,
            directory: Directory::default(),
            open: None,
            unread: BTreeMap::new(),
            pending: HashMap::new(),
            me: None,
            devices: Vec::new(),
            places: BTreeMap::new(),
            recent: Recent::default(),
            shows_places: false,
            searching: None,
            asking: BTreeSet::new(),
            typing: HashMap::new(),
        }
    }
}

impl Talk {
    /// A conversation that does this when the user is logged in somewhere else.
    pub fn new(elsewhere: Elsewhere) -> Self {
        Self { elsewhere, ..Self::default() }
    }

    /// The same, with an invitation for whoever registers.
    pub fn invited(self, invitation: Option<Secret>) -> Self {
        Self { invitation, ..self }
    }

    /// The request of somebody whom an application vouches for.
    pub fn vouched(&self, jwt: Secret) -> (Request, Pending) {
        let wanted = self.elsewhere == Elsewhere::TakeOver;
        let takeover = if wanted { Takeover::Replace } else { Takeover::Refuse };
        (Request::LoginJwt { jwt, takeover }, Pending::LoginJwt)
    }

    /// What the next line is asked for with.
    pub fn prompt(&self) -> Prompt {
        let text = match &self.step {
            Step::Menu => "choice: ".to_owned(),
            Step::Who => "userid or name: ".to_owned(),
            Step::TakeOver(..) => "yes or no: ".to_owned(),
            Step::OldPassword => "current password: ".to_owned(),
            Step::ChangedPassword(_) => "new password: ".to_owned(),
            Step::NewName => "username: ".to_owned(),
            Step::Password(_) | Step::NewPassword(_) => "userpassword: ".to_owned(),
            Step::Inside => self.inside_prompt(),
        };
        let secret = matches!(
            self.step,
            Step::Password(_) | Step::NewPassword(_) | Step::OldPassword | Step::ChangedPassword(_)
        );
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
        match self.step {
            Step::Inside => self.inside(line, say),
            Step::OldPassword => {
                self.step = Step::ChangedPassword(line.into());
                Next::Go
            }
            Step::ChangedPassword(_) => self.change_password(line),
            _ => self.outside(line, say),
        }
    }

    /// The request that a line led to has this request_id.
    pub fn asked(&mut self, request_id: RequestId, pending: Pending) {
        self.pending.insert(request_id, pending);
    }

    /// The user thinks better of what was being answered.
    pub fn cancel(&mut self) {
        self.step = match self.step {
            Step::Inside | Step::OldPassword | Step::ChangedPassword(_) => Step::Inside,
            _ => Step::Menu,
        };
    }

    /// Messages that the server has not answered.
    pub fn unanswered(&self) -> usize {
        self.pending.values().filter(|pending| pending.is_message()).count()
    }

    /// Nobody is logged in from now on; what was asked for is still to be answered.
    fn leave(&mut self) {
        let (pending, invitation) = (std::mem::take(&mut self.pending), self.invitation.take());
        *self = Self { epoch: self.epoch + 1, pending, invitation, ..Self::new(self.elsewhere) };
    }
}

fn bad(say: &mut Vec<Shown>, why: &str) -> Next {
    say.push(Shown::Bad(why.to_owned()));
    Next::Bad
}
