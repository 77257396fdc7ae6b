//! Who is meant by a name that has not come by: the server is asked, and what was to be done is
//! done then.

use super::groups::rule_over;
use super::{Next, Pending, Talk};
use crate::directory::bare;
use crate::show::Shown;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_client::{Conversation, Extras, GroupChange, Named, Request, Spoken};

/// What is to be done with a user, once it is known who that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    /// To say this.
    Chat(String),
    /// To make a friend.
    AddFriend,
    /// To have a friend less.
    DelFriend,
    /// To open the conversation.
    Open,
    /// To see what was said.
    History,
    /// To hear nothing any more.
    Block,
    /// To hear something again.
    Unblock,
    /// To do this to a member of a group.
    Rule(GroupId, GroupChange),
    /// To let in there, or to accept as a friend; or not.
    Answer(Option<GroupId>, bool),
    /// To ask for friendship, with this note.
    Ask(String),
}

impl Talk {
    /// Does something with the user that a text means. A name is taken as it is written; capitals
    /// may be wrong only where nobody is called exactly so.
    pub(super) fn with_user(&mut self, text: &str, then: Then, say: &mut Vec<Shown>) -> Result<Next, String> {
        let asks = self.directory.spoken == Spoken::V2;
        let known = if asks { self.directory.exactly(text) } else { self.directory.user(text) };
        match known {
            Some(user) => Ok(self.with(user, then, say)),
            None if asks => {
                let name = bare(text).into_owned();
                Ok(Next::Ask(Request::Find(Named::from(name.as_str())), Pending::Seek(name, then)))
            }
            None => Err(format!("nobody that you know is called {text}; an id will do")),
        }
    }

    /// Does something with a user.
    pub(super) fn with(&mut self, user: UserId, then: Then, say: &mut Vec<Shown>) -> Next {
        match then {
            Then::Chat(text) => self.say(Conversation::With(user), &text, Extras::default()),
            Then::AddFriend => Next::Ask(Request::AddFriend(user), Pending::AddFriend(user)),
            Then::DelFriend => Next::Ask(Request::DelFriend(user), Pending::DelFriend(user)),
            Then::Block => Next::Ask(Request::Block(user), Pending::Block(user)),
            Then::Unblock => Next::Ask(Request::Unblock(user), Pending::Unblock(user)),
            Then::History => self.history(Conversation::With(user)),
            Then::Rule(group, what) => rule_over(group, user, what),
            Then::Answer(group, yes) => self.answer(group, user, yes),
            Then::Ask(note) => Next::Ask(Request::AskFriend { user, note }, Pending::Ask(user)),
            Then::Open => self.open(Conversation::With(user), say),
        }
    }
}
