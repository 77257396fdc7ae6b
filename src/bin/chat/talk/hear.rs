//! What events do to a conversation.

use super::groups::not_ruled;
use super::inside::members_page;
use super::{Elsewhere, Next, Pending, SHOWN_AGAIN, Step, Talk};
use crate::exit::Exit;
use crate::show::{Deed, Shown};
use crate::visible::short;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::wire::code::Code;
use chatd_client::event::Lost;
use chatd_client::{
    Answer, Conversation, Event, Failure, Member, Message, Refusal, Request, RequestId, Row, Spoken,
    Takeover, Welcome,
};

/// Members that are put together from pages at most.
const MEMBERS: usize = 10_000;

/// What an event calls for, besides being shown.
#[derive(Debug, Default)]
pub struct Reaction {
    /// A request is answered, and what that means for a script's exit status.
    pub settled: Option<(RequestId, Exit)>,
    /// Something to ask without having been told to.
    pub ask: Option<(Request, Pending)>,
    /// Whether it was a message.
    pub message: bool,
    /// Whether the user is nobody all of a sudden.
    pub signed_out: bool,
    /// Whether what an application has said of the user is over, or soon will be.
    pub expires: bool,
}

impl Talk {
    /// Takes in an event.
    pub fn hear(&mut self, event: Event, say: &mut Vec<Shown>) -> Reaction {
        let mut reaction = Reaction::default();
        match event {
            Event::Connected { again: false, .. } => {}
            Event::Connected { address, .. } => say.push(Shown::Connected(address)),
            // What is to be said of it was said when the user was signed out.
            Event::Lost { reason: Lost::Said(words), retry_in: None } if is(&words, Code::Replaced) => {}
            Event::Lost { reason, retry_in } => {
                let (retrying, unsafe_yet) = (retry_in.is_some(), self.unanswered());
                say.push(Shown::Lost { reason, retrying, unsafe_yet });
            }
            Event::Unreachable { address, reason } => say.push(Shown::Unreachable(address, reason)),
            Event::LoggedIn { welcome, again } => self.welcome(welcome, again, say),
            Event::LoginDelayed(refusal) => say.push(Shown::Delayed(refusal)),
            Event::SignedOut(refusal) => {
                reaction.expires = is(&refusal, Code::Expired);
                self.leave();
                say.push(Shown::SignedOut(refusal));
                reaction.signed_out = true;
            }
            Event::Message(message) => {
                reaction.message = !message.own;
                self.message(message, say);
            }
            Event::Presence { user, online } => {
                let news = self.directory.learn_presence(user, online);
                say.extend(news.map(|name| Shown::Presence(user, name, online)));
            }
            Event::Friends(friends) => self.directory.learn_friends(friends),
            Event::Changed(change) => self.changed(change, say),
            Event::Recalled(recalled) => self.was_recalled(recalled, say),
            Event::Group(event) => self.happened(event, say),
            Event::Friend(event) => self.befriends(event, say),
            Event::Settings(settings) => say.push(Shown::Settings(settings)),
            Event::Stored { conversation, places } => self.stored(conversation, places, say),
            Event::Answered { request_id, result } => {
                if let Some(pending) = self.pending.remove(&request_id) {
                    self.settled(request_id, pending, result, say, &mut reaction);
                }
            }
            Event::Announcement(text) => say.push(Shown::Announcement(text)),
            Event::Notice(refusal) => {
                reaction.expires = is(&refusal, Code::Expired);
                say.push(Shown::Notice(refusal));
            }
            Event::BadFrame => say.push(Shown::BadFrame),
            other => self.hear_of_devices(other, say),
        }
        reaction
    }

    fn welcome(&mut self, mut welcome: Welcome, again: bool, say: &mut Vec<Shown>) {
        let online = welcome.friends.iter().filter(|friend| friend.online).count();
        say.push(match again {
            true => Shown::Back,
            false => Shown::Welcome {
                id: welcome.id,
                name: welcome.name.clone(),
                friends: welcome.friends.len(),
                online,
                groups: welcome.groups.len(),
            },
        });
        self.me = Some(welcome.id);
        welcome.heads.iter().for_each(|heads| self.meet_in(heads));
        let asking = std::mem::take(&mut welcome.asking);
        self.directory.welcome(welcome);
        if !again {
            // Else it is where it was: a password that is being typed is one still.
            self.step = Step::Inside;
        }
        for asking in asking {
            // After a lost connection whoever was told is told of what is new only.
            if !again || !self.asking.contains(&asking.id) {
                self.is_asked_by(asking, say);
            }
        }
    }

    fn message(&mut self, message: Message, say: &mut Vec<Shown>) {
        self.directory.learn(&message);
        let to = message.conversation;
        self.typing.remove(&(to, message.from));
        self.recent.note(&message, self.me == Some(message.from));
        if message.own {
            // Whoever answers has read what was said, on whichever device.
            self.unread.remove(&to);
        } else if self.open != Some(to) {
            let unread = self.unread.entry(to).or_default();
            unread.count += 1;
            unread.last.push_back(message.clone());
            if unread.last.len() > SHOWN_AGAIN {
                unread.last.pop_front();
            }
        }
        let label = self.directory.label(to);
        say.push(self.said(message, label));
    }

    fn settled(
        &mut self,
        request_id: RequestId,
        pending: Pending,
        result: Result<Answer, Failure>,
        say: &mut Vec<Shown>,
        reaction: &mut Reaction,
    ) {
        let (request_id, pending) = match pending {
            Pending::For(whole, part) => (whole, *part),
            pending => (request_id, pending),
        };
        let next = match (pending, result) {
            (Pending::AddFriend(id), Ok(_)) => Next::Ask(Request::ShowFriends, Pending::Meet(id)),
            (Pending::Meet(id), _) => self.befriended(id, say),
            (Pending::Seek(name, then), result) => match self.sought(&name, result) {
                Ok(user) => self.with(user, then, say),
                Err(failure) => {
                    let what = self.describe(&Pending::Seek(name, then));
                    say.push(Shown::Failed(what, failure));
                    Next::Bad
                }
            },
            (Pending::Members(group, known), Ok(Answer::Members { members, complete })) => {
                let mut all = known;
                let more = !complete && !members.is_empty() && all.len() < MEMBERS;
                all.extend(members);
                if more { members_page(group, all) } else { self.show_members(group, all, say) }
            }
            (Pending::Login(user, password, Takeover::Refuse), Err(Failure::Refused(refusal)))
                if is(&refusal, Code::AlreadyOnline) && self.elsewhere == Elsewhere::Ask =>
            {
                self.step = Step::TakeOver(user, password);
                say.push(Shown::Elsewhere);
                Next::Bad
            }
            (pending, Ok(answer)) => {
                say.extend(self.done(pending, answer));
                Next::Go
            }
            (pending @ Pending::Say(..), Err(Failure::Refused(refusal))) if is(&refusal, Code::NotYours) => {
                let text = "your messages are not taken there".to_owned();
                let failure = Failure::Refused(Refusal { text, ..refusal });
                say.push(Shown::Failed(self.describe(&pending), failure));
                Next::Bad
            }
            (pending, Err(failure)) => {
                say.push(Shown::Failed(self.describe(&pending), failure));
                let entering =
                    matches!(pending, Pending::Login(..) | Pending::LoginJwt | Pending::Register(_));
                reaction.settled = entering.then_some((request_id, Exit::LoginRefused));
                Next::Bad
            }
        };
        let settled = match next {
            Next::Ask(request, part) => {
                reaction.ask = Some((request, Pending::For(request_id, Box::new(part))));
                None
            }
            Next::Bad => Some((request_id, Exit::Refused)),
            _ => Some((request_id, Exit::Done)),
        };
        reaction.settled = reaction.settled.or(settled);
    }

    fn befriended(&mut self, id: UserId, say: &mut Vec<Shown>) -> Next {
        let name = self.directory.label(Conversation::With(id));
        say.push(Shown::Done(Deed::Befriended(id, name)));
        Next::Go
    }

    /// Who was found; where nobody is called exactly so, somebody known who almost is.
    fn sought(&mut self, name: &str, result: Result<Answer, Failure>) -> Result<UserId, Failure> {
        match result {
            Ok(Answer::Found(person)) => {
                self.directory.meet(&person);
                Ok(person.id)
            }
            Ok(_) => Err(Failure::Unanswered),
            Err(Failure::Refused(refusal)) if is(&refusal, Code::NoSuchUser) => {
                self.directory.user(name).ok_or(Failure::Refused(refusal))
            }
            Err(failure) => Err(failure),
        }
    }

    fn show_members(&mut self, id: GroupId, members: Vec<Member>, say: &mut Vec<Shown>) -> Next {
        members.iter().for_each(|member| self.directory.meet(&member.person));
        say.push(Shown::Members(self.group_label(id), members, Spoken::V2));
        Next::Go
    }

    fn done(&mut self, pending: Pending, answer: Answer) -> Option<Shown> {
        let deed = match (pending, answer) {
            (Pending::Register(name), Answer::Registered(id)) => return Some(Shown::Registered(id, name)),
            (Pending::Friends, Answer::Friends(friends)) => {
                self.directory.learn_friends(friends.clone());
                return Some(Shown::Friends(friends));
            }
            (Pending::Logout, _) => {
                self.leave();
                return Some(Shown::LoggedOut);
            }
            (Pending::Find(_), Answer::Found(person)) => {
                self.directory.meet(&person);
                return Some(Shown::Found(person));
            }
            (Pending::History(of), Answer::History { rows, complete, .. }) => {
                return Some(self.history_page(of, rows, complete));
            }
            (Pending::LoginJwt, _) => return None,
            (Pending::ChangePassword, _) => Deed::PasswordChanged,
            (Pending::Block(id), _) => Deed::Blocked(id, self.directory.label(Conversation::With(id))),
            (Pending::Unblock(id), _) => Deed::Unblocked(id, self.directory.label(Conversation::With(id))),
            (Pending::Say(to, text), answer) => {
                let safe = match answer {
                    Answer::Safe(mark) => {
                        self.reaches(to, mark.pos);
                        self.recent.said(to, mark.pos, &text);
                        Some(mark)
                    }
                    _ => None,
                };
                let numbered = self.shows_places;
                Deed::Sent { to, label: self.directory.label(to), text, safe, numbered }
            }
            (Pending::DelFriend(id), _) => {
                self.directory.friends.retain(|friend| friend.id != id);
                Deed::Unfriended(id, self.directory.label(Conversation::With(id)))
            }
            (Pending::CreateGroup(name, desc), Answer::Group(id)) => {
                self.directory.join(id, Some((name.clone(), desc)));
                Deed::Made(id, name)
            }
            (Pending::AddGroup(id), _) => {
                self.directory.join(id, None);
                Deed::Joined(id, self.group_label(id))
            }
            (Pending::DelGroup(id), _) => {
                let label = self.group_label(id);
                self.is_out_of(id);
                Deed::Left(id, label)
            }
            (pending, answer) => return self.done_with_changes(pending, answer),
        };
        Some(Shown::Done(deed))
    }

    fn history_page(&mut self, of: Conversation, rows: Vec<Row>, complete: bool) -> Shown {
        rows.iter().filter_map(Row::message).for_each(|message| self.directory.learn(message));
        let me = self.me;
        rows.iter().for_each(|row| self.recent.row(row, |message| me == Some(message.from)));
        self.reaches(of, rows.last().and_then(Row::pos));
        self.paging = rows.first().and_then(|first| Some((of, first.pos()?)));
        let label = self.directory.label(of);
        let by = rows.iter().filter_map(Row::recalled).map(|it| (it.by, self.called(it.by))).collect();
        Shown::History { of, label, rows, complete, me, by }
    }

    /// The user is no member of a group any more.
    pub(super) fn is_out_of(&mut self, id: GroupId) {
        self.directory.groups.remove(&id);
        self.unread.remove(&Conversation::In(id));
        self.open = self.open.filter(|open| *open != Conversation::In(id));
    }

    fn group_label(&self, id: GroupId) -> String {
        self.directory.label(Conversation::In(id))
    }

    /// What was to be done, for whoever reads that it was not.
    fn describe(&self, pending: &Pending) -> String {
        let who = |id| self.directory.label(Conversation::With(id));
        match pending {
            Pending::Login(..) | Pending::LoginJwt => "not logged in".to_owned(),
            Pending::Register(name) => format!("{name} is not registered"),
            Pending::Logout => "not logged out".to_owned(),
            Pending::Say(to, text) => {
                format!("not said to {} ({})", self.directory.label(*to), short(text, 40))
            }
            Pending::AddFriend(id) => format!("{} is not added", who(*id)),
            Pending::DelFriend(id) => format!("{} is not removed", who(*id)),
            Pending::CreateGroup(name, _) => format!("group {name} is not made"),
            Pending::AddGroup(id) => format!("{} is not joined", self.group_label(*id)),
            Pending::DelGroup(id) => format!("{} is not left", self.group_label(*id)),
            Pending::Friends | Pending::Meet(_) => "no friend list".to_owned(),
            Pending::Find(name) | Pending::Seek(name, _) => format!("{name} is not found"),
            Pending::History(of) => format!("no history of {}", self.directory.label(*of)),
            Pending::Members(id, _) => format!("no members of {}", self.group_label(*id)),
            Pending::Block(id) => format!("{} is not blocked", who(*id)),
            Pending::Unblock(id) => format!("{} is as before", who(*id)),
            Pending::Devices => "no list of devices".to_owned(),
            Pending::DropDevice(name) => format!("{name} is not sent away"),
            Pending::Edit(of, pos, _) => {
                format!("message {pos} of {} is as before", self.directory.label(*of))
            }
            Pending::Recall(of, pos) => {
                format!("message {pos} of {} is still there", self.directory.label(*of))
            }
            Pending::React(_, pos, emoji, true) => format!("no {} to message {pos}", short(emoji, 20)),
            Pending::React(_, pos, emoji, false) => format!("{} to message {pos} stays", short(emoji, 20)),
            Pending::Search(_, words) => format!("{} is not searched for", short(words, 40)),
            Pending::Rule(ruling) => not_ruled(ruling, "the group", who),
            Pending::Joins(id) => format!("not told who wants to join {}", self.group_label(*id)),
            Pending::Ask(id) => format!("{} is not asked", who(*id)),
            Pending::AnswerFriend(id, _) => format!("{} is not answered", who(*id)),
            Pending::Settings => "the settings are as before".to_owned(),
            Pending::Read(of) => format!("{} is not marked", self.directory.label(*of)),
            Pending::ChangePassword => "the password is as before".to_owned(),
            Pending::For(_, part) => self.describe(part),
        }
    }
}

fn is(refusal: &Refusal, code: Code) -> bool {
    refusal.errno == code.errno()
}
