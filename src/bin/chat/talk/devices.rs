//! The user's devices, and what was read on which of them.

use super::{Next, Pending, Talk};
use crate::command::Command;
use crate::show::{Deed, Shown};
use chatd_chat::model::ids::UserId;
use chatd_client::{Answer, Conversation, Event, Heads, Person, Request};

impl Talk {
    pub(super) fn device_command(&self, command: &Command<'_>) -> Result<Next, String> {
        match command {
            Command::DropDevice(number) => self.drop_device(*number),
            Command::Read => self.read_here(),
            _ => Ok(Next::Ask(Request::Devices, Pending::Devices)),
        }
    }

    /// Ends the device in this line of the list that was shown last.
    fn drop_device(&self, number: usize) -> Result<Next, String> {
        let Some(device) = number.checked_sub(1).and_then(|at| self.devices.get(at)) else {
            return Err("there is no such line in the list that /devices showed last".to_owned());
        };
        Ok(Next::Ask(Request::DropDevice(device.id), Pending::DropDevice(device.name.clone())))
    }

    /// Marks as read what is known to have been said in the open conversation.
    fn read_here(&self) -> Result<Next, String> {
        let of = self.open.ok_or("no conversation is open: /open WHO")?;
        let pos = self.places.get(&of).ok_or("nothing is known to have been said here: /history shows it")?;
        Ok(Next::Ask(Request::Read { of, pos: *pos, private: false }, Pending::Read(of)))
    }

    /// So far a conversation is known to go.
    pub(super) fn reaches(&mut self, conversation: Conversation, pos: Option<u64>) {
        if let Some(pos) = pos {
            let known = self.places.entry(conversation).or_default();
            *known = pos.max(*known);
        }
    }

    /// Names of people whom no list tells of.
    pub(super) fn meet_in(&mut self, heads: &Heads) {
        for head in &heads.heads {
            if let Conversation::With(id) = head.conversation {
                self.directory.meet(&Person { id, name: head.name.clone(), online: false });
            }
        }
    }

    /// Somebody has read a conversation; where the user has, on another device, nothing of it is unread here.
    fn was_read(&mut self, of: Conversation, by: UserId, pos: u64) -> Shown {
        let all = self.places.get(&of).is_none_or(|known| *known <= pos);
        if all && self.me == Some(by) {
            self.unread.remove(&of);
        }
        // A person wants to know it of others, and of what was said by the user.
        let mine = self.recent.last(of, true).filter(|_| self.me != Some(by));
        let all_mine = mine.map(|last| last <= pos);
        Shown::Read { of, label: self.directory.label(of), by, name: self.called(by), pos, all_mine }
    }

    pub(super) fn hear_of_devices(&mut self, event: Event, say: &mut Vec<Shown>) {
        match event {
            Event::Read { conversation, by, pos } => say.push(self.was_read(conversation, by, pos)),
            Event::Typing { conversation, by, on, expires } => {
                say.push(self.types(conversation, by, on, expires));
            }
            Event::UpTo { conversation, pos, .. } => self.reaches(conversation, Some(pos)),
            Event::Heads(heads) => self.meet_in(&heads),
            // Events of a later dialect, which this program does not ask for.
            _ => {}
        }
    }

    pub(super) fn done_with_devices(&mut self, pending: Pending, answer: Answer) -> Option<Shown> {
        match (pending, answer) {
            (Pending::Devices, Answer::Devices(devices)) => {
                self.devices.clone_from(&devices);
                Some(Shown::Devices(devices))
            }
            (Pending::DropDevice(name), _) => Some(Shown::Done(Deed::DeviceDropped(name))),
            (Pending::Read(of), Answer::ReadUpTo(pos)) => {
                self.unread.remove(&of);
                Some(Shown::Done(Deed::Read { of, label: self.directory.label(of), pos }))
            }
            _ => None,
        }
    }
}
