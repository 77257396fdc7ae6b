//! What events do to a conversation.

use super::{Pending, SHOWN_AGAIN, Step, Talk};
use crate::exit::Exit;
use crate::show::{Deed, Shown};
use crate::visible::short;
use chatd::chat::ids::GroupId;
use chatd::client::{Answer, Conversation, Event, Failure, Message, Request, Ticket};

/// What an event calls for, besides being shown.
#[derive(Debug, Default)]
pub struct Reaction {
    /// A request is answered, and what that means for a script's exit status.
    pub settled: Option<(Ticket, Exit)>,
    /// Something to ask without having been told to.
    pub ask: Option<(Request, Pending)>,
    /// Whether it was a message.
    pub message: bool,
    /// Whether the user is nobody all of a sudden.
    pub signed_out: bool,
}

impl Talk {
    /// Takes in an event.
    pub fn hear(&mut self, event: Event, say: &mut Vec<Shown>) -> Reaction {
        let mut reaction = Reaction::default();
        match event {
            Event::Connected { again: false, .. } => {}
            Event::Connected { address, .. } => say.push(Shown::Connected(address)),
            Event::Lost { reason, retry_in } => say.push(Shown::Lost(reason, retry_in.is_some())),
            Event::Unreachable { address, reason } => say.push(Shown::Unreachable(address, reason)),
            Event::LoggedIn { welcome, again } => {
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
                self.directory.welcome(welcome);
                self.step = Step::Inside;
            }
            Event::LoginDelayed(refusal) => say.push(Shown::Delayed(refusal)),
            Event::SignedOut(refusal) => {
                self.leave();
                say.push(Shown::SignedOut(refusal));
                reaction.signed_out = true;
            }
            Event::Message(message) => {
                reaction.message = true;
                self.message(message, say);
            }
            Event::Friends(friends) => self.directory.learn_friends(friends),
            Event::Settled { ticket, result } => {
                if let Some(pending) = self.pending.remove(&ticket) {
                    self.settled(ticket, pending, result, say, &mut reaction);
                }
            }
            Event::Notice(refusal) => say.push(Shown::Notice(refusal)),
            Event::Garbled => say.push(Shown::Garbled),
            // Events of a later dialect, which this program does not ask for.
            _ => {}
        }
        reaction
    }

    fn message(&mut self, message: Message, say: &mut Vec<Shown>) {
        self.directory.learn(&message);
        let to = message.conversation;
        if self.open != Some(to) {
            let unread = self.unread.entry(to).or_default();
            unread.count += 1;
            unread.last.push_back(message.clone());
            if unread.last.len() > SHOWN_AGAIN {
                unread.last.pop_front();
            }
        }
        let label = self.directory.label(to);
        say.push(Shown::Said(message, label));
    }

    fn settled(
        &mut self,
        ticket: Ticket,
        pending: Pending,
        result: Result<Answer, Failure>,
        say: &mut Vec<Shown>,
        reaction: &mut Reaction,
    ) {
        let (ticket, exit) = match (pending, result) {
            (Pending::AddFriend(id), Ok(_)) => {
                reaction.ask = Some((Request::ShowFriends, Pending::Meet(ticket, id)));
                return;
            }
            (Pending::Meet(asked, id), _) => {
                let name = self.directory.label(Conversation::With(id));
                say.push(Shown::Done(Deed::Befriended(id, name)));
                (asked, Exit::Done)
            }
            (pending, Ok(answer)) => {
                say.extend(self.done(pending, answer));
                (ticket, Exit::Done)
            }
            (pending, Err(failure)) => {
                let entering = matches!(pending, Pending::Login | Pending::Register(_));
                say.push(Shown::Failed(self.describe(&pending), failure));
                (ticket, if entering { Exit::LoginRefused } else { Exit::Refused })
            }
        };
        reaction.settled = Some((ticket, exit));
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
            (Pending::Say(to, _), _) => Deed::Sent(to, self.directory.label(to)),
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
                self.directory.groups.remove(&id);
                self.unread.remove(&Conversation::In(id));
                self.open = self.open.filter(|open| *open != Conversation::In(id));
                Deed::Left(id, label)
            }
            _ => return None,
        };
        Some(Shown::Done(deed))
    }

    fn group_label(&self, id: GroupId) -> String {
        self.directory.label(Conversation::In(id))
    }

    /// What was to be done, for whoever reads that it was not.
    fn describe(&self, pending: &Pending) -> String {
        let who = |id| self.directory.label(Conversation::With(id));
        match pending {
            Pending::Login => "not logged in".to_owned(),
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
            Pending::Friends | Pending::Meet(..) => "no friend list".to_owned(),
        }
    }
}
