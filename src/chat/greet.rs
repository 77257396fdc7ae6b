//! The login answer: friends, groups, and as much of what waits as there is room for.

use super::ask::Waiting;
use super::effect::Effect;
use super::hub::Hub;
use super::ids::{SessionId, UserId};
use super::session::{Debt, Greeting, Pause, Sent};
use super::wire::lists::{self, Room};
use super::wire::request::Dialect;
use super::wire::welcome::{self, Welcome};
use rustc_hash::FxHashSet;

/// How large a login answer a client that reads one frame at a time can read.
const SMALL_FRAME_BYTES: usize = 1_000;

impl Hub {
    /// The login answer, with as much of the first page as there is room for.
    pub(super) fn greet(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let session = self.session_mut(id).expect("looked at before");
        let online = session.online_mut().expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        let Some(greeting) = catching_up.greeting.take() else { return };
        match session.dialect {
            Dialect::Seed => self.greet_seed(id, &greeting, out),
            Dialect::V2 => self.greet_v2(id, &greeting, out),
        }
        self.resume(id, Pause::Answering, out);
    }

    fn greet_seed(&mut self, id: SessionId, greeting: &Greeting, out: &mut Vec<Effect>) {
        let (login_bytes, push_bytes) = (self.limits.login_bytes, self.limits.push_bytes);
        let session = self.session_mut(id).expect("looked at before");
        let one_frame_a_read = session.reads_single_frames();
        let online = session.online_mut().expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        let frame_bytes = if one_frame_a_read { SMALL_FRAME_BYTES } else { login_bytes };
        let room = Room { lists_bytes: login_bytes - SMALL_FRAME_BYTES, frame_bytes };
        let presence = |user| greeting.online.contains(&user);
        let waiting = catching_up.rest.iter().map(|waiting| &waiting.envelope);
        let answer = lists::logged_in(online.user, &online.name, &greeting.roster, &presence, waiting, room);
        let answered: Vec<Waiting> = catching_up.rest.drain(..answer.messages).collect();
        self.send_with(id, answer.bytes, answered, out);
        if answer.friends < greeting.roster.friends.len() {
            let friends = lists::friend_list(&greeting.roster.friends, &presence, push_bytes);
            self.reply(id, friends, out);
        }
    }

    fn greet_v2(&mut self, id: SessionId, greeting: &Greeting, out: &mut Vec<Effect>) {
        let login_bytes = self.limits.login_bytes;
        let friends = greeting.roster.friends.iter().map(|friend| friend.id);
        let there: FxHashSet<UserId> = friends.filter(|&friend| self.presence.is_online(friend)).collect();
        let session = self.session_mut(id).expect("looked at before");
        let cid = session.login_cid.take();
        let online = session.online_mut().expect("looked at before");
        let catching_up = online.catching_up.as_mut().expect("looked at before");
        let welcome = Welcome {
            cid: cid.as_deref(),
            user: online.user,
            name: &online.name,
            token: greeting.roster.token.as_ref().map(|token| &token.secret),
            roster: &greeting.roster,
        };
        let waiting = catching_up.rest.iter().map(|waiting| &waiting.envelope);
        let mut answer = welcome::logged_in(welcome, &|user| there.contains(&user), waiting, login_bytes);
        let answered: Vec<Waiting> = catching_up.rest.drain(..answer.messages).collect();
        let last = answer.frames.pop().expect("one at least");
        answer.frames.into_iter().for_each(|frame| self.reply(id, frame, out));
        self.send_with(id, last, answered, out);
    }

    /// Sends one frame that holds several messages: when it is acknowledged, all of them are.
    fn send_with(&mut self, id: SessionId, bytes: Vec<u8>, messages: Vec<Waiting>, out: &mut Vec<Effect>) {
        let end = self.session(id).expect("looked at before").queued + bytes.len() as u64 + 1;
        for Waiting { envelope, pos } in messages {
            let session = self.session_mut(id).expect("looked at before");
            let user = session.user().expect("is online");
            let online = session.online_mut().expect("is online");
            let debt = pos.map_or(Debt::Owed, |pos| Debt::Behind(pos - 1));
            online.catching_up.as_mut().expect("is catching up").sent.insert(envelope.mid());
            online.taken.note(envelope.mid());
            online.missing.remove(&envelope.mid());
            if debt == Debt::Owed {
                online.owed.insert(envelope.mid());
            }
            session.window.push_back(Sent::new(end, user, envelope, debt));
        }
        self.reply(id, bytes, out);
    }
}
