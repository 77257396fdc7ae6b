//! A list of people that is being answered.

use crate::model::ids::{GroupId, Millis, UserId};
use crate::model::profile::{Member, Person};
use crate::wire::msgid;

/// Which list.
#[derive(Debug)]
pub(crate) enum List {
    Found(Person),
    Friends(Vec<Person>),
    Members { group: GroupId, members: Vec<Member>, complete: bool },
}

impl List {
    fn people(&self) -> Vec<&Person> {
        match self {
            List::Found(person) => vec![person],
            List::Friends(people) => people.iter().collect(),
            List::Members { members, .. } => members.iter().map(|member| &member.person).collect(),
        }
    }

    /// Sets who hides from whoever asks: of those that it knows, `hides` says so.
    pub(crate) fn set_hiding(&mut self, hides: impl Fn(UserId) -> Option<bool>) {
        let set = |person: &mut Person| person.hides = hides(person.id).unwrap_or(person.hides);
        match self {
            List::Found(person) => set(person),
            List::Friends(people) => people.iter_mut().for_each(set),
            List::Members { members, .. } => members.iter_mut().for_each(|member| set(&mut member.person)),
        }
    }

    /// A mute whose time is over is none.
    pub(crate) fn end_mutes(&mut self, wall: Millis) {
        if let List::Members { members, .. } = self {
            members.iter_mut().for_each(|member| member.muted = member.muted.by(wall));
        }
    }

    pub(crate) fn ids(&self) -> Vec<UserId> {
        self.people().iter().map(|person| person.id).collect()
    }

    /// The msgid of the request that it answers.
    pub(crate) fn re(&self) -> u32 {
        match self {
            List::Found(_) => msgid::FIND,
            List::Friends(_) => msgid::SHOW_FRIENDS,
            List::Members { .. } => msgid::MEMBERS,
        }
    }
}
