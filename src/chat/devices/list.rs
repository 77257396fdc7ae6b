//! The list of a user's devices, and the end of one.
//!
//! Which of the devices are online, each core knows of its own sessions only: the cores on the user's channel are asked,
//! and the list is sent when all have answered, or after `claim_ms`.

use super::Devices;
use crate::connection::{About, Connection, Connections, Pause};
use crate::model::device::{Device, PushToken};
use crate::model::envelope::{Envelope, Revoked};
use crate::model::ids::{ConnectionId, MessageId, Monotonic, UserId};
use crate::model::token::TokenId;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{Change, DevicesFlow, PublishFlow};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::{msgid, sync};

/// A list of devices for which other cores are still to say which of them they have.
#[derive(Debug)]
pub(super) struct AskedList {
    number: MessageId,
    connection: ConnectionId,
    cid: Option<Box<str>>,
    /// The session's own token.
    here: Option<TokenId>,
    devices: Vec<Device>,
    /// Tokens of which a session is known.
    online: Vec<TokenId>,
    answers: u32,
    /// How many are to answer, as soon as that is known.
    others: Option<u32>,
    deadline: Monotonic,
}

impl Devices {
    /// DEVICES.
    pub(crate) fn on_devices(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
    ) {
        cx.enter();
        let flow = DevicesFlow::List { connection: about.connection, cid: about.cid.map(Into::into) };
        look_up(cx, connections, about, StoreRequest::Devices { user }, flow);
    }

    /// The store has the list: DEVICES_ACK, ERROR, or a question to the other cores. `here` is the session's own token,
    /// `online` are those of this core's sessions.
    pub(crate) fn on_list(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (connection, cid): (ConnectionId, Option<Box<str>>),
        (here, online): (Option<TokenId>, Vec<TokenId>),
        devices: Result<Vec<Device>, Code>,
    ) {
        cx.enter();
        let devices = match devices {
            Ok(devices) => devices,
            Err(code) => {
                let cid = cid.as_deref();
                connections.refuse(cx, About { connection, re: msgid::DEVICES, cid }, code);
                return connections.resume(cx, connection, Pause::AwaitingReply);
            }
        };
        let (number, deadline) = (cx.next_mid(), cx.now.plus(cx.limits.claim_ms));
        let (answers, others) = (0, None);
        let list = AskedList { number, connection, cid, here, devices, online, answers, others, deadline };
        // Only a session that lives beside others can have some elsewhere.
        let user = connections.get(connection).filter(|session| session.multi).and_then(Connection::user);
        let Some(user) = user else { return list.answer(cx, connections) };
        self.asked.push(list);
        let mut question = Envelope::devices_asked(number, user);
        if connection.is_acting() {
            question = question.for_acting();
        }
        cx.publish_counted(Channel::User(user), question, PublishFlow::DevicesAsked { number });
    }

    /// Somebody asks which devices of the user are here.
    pub(crate) fn on_asked(&mut self, cx: &mut Cx, user: UserId, question: &Envelope, here: &[TokenId]) {
        cx.enter();
        let number = question.mid();
        cx.observe(number);
        // What this core published comes back to it.
        if number.core() != cx.core {
            let back = if question.is_for_acting() { Channel::Cores } else { Channel::User(user) };
            cx.publish(back, Envelope::devices_here(number, user, here));
        }
    }

    /// So many cores were asked.
    pub(crate) fn on_asked_published(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        number: MessageId,
        receivers: Result<u32, BusDown>,
    ) {
        cx.enter();
        if let Some(list) = self.asked.iter_mut().find(|list| list.number == number) {
            // Without the bus, nobody is known of but who is here.
            // This core is one of them if it has joined the user's channel.
            let user = connections.get(list.connection).and_then(Connection::user);
            let is_here = user.is_none_or(|user| connections.of_user(user).is_some());
            let own = u32::from(is_here || !list.connection.is_acting());
            list.others = Some(receivers.map_or(0, |receivers| receivers.saturating_sub(own)));
        }
        self.end_answered_list(cx, connections, number);
    }

    /// A core says which devices it has.
    pub(crate) fn on_here(&mut self, cx: &mut Cx, connections: &mut Connections, envelope: &Envelope) {
        cx.enter();
        let number = envelope.mid();
        if let Some(list) = self.asked.iter_mut().find(|list| list.number == number) {
            list.answers += 1;
            list.online.extend(envelope.tokens());
        }
        self.end_answered_list(cx, connections, number);
    }

    fn end_answered_list(&mut self, cx: &mut Cx, connections: &mut Connections, number: MessageId) {
        let is_answered = |list: &AskedList| list.others.is_some_and(|others| list.answers >= others);
        let at = self.asked.iter().position(|list| list.number == number && is_answered(list));
        if let Some(at) = at {
            self.asked.swap_remove(at).answer(cx, connections);
        }
    }

    /// Time has passed: lists are sent for which a core has not answered, which means that it is dead.
    pub(crate) fn end_overdue_lists(&mut self, cx: &mut Cx, connections: &mut Connections) {
        cx.enter();
        let now = cx.now;
        for list in self.asked.extract_if(.., |list| list.deadline <= now) {
            list.answer(cx, connections);
        }
    }

    /// DROP_DEVICE.
    pub(crate) fn on_drop_device(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        token: TokenId,
    ) {
        cx.enter();
        let request = StoreRequest::DropDevice { user, token };
        connections.request_mutation(cx, about, user, request, Change::DropDevice { token });
    }

    /// PUSH_TOKEN: of the device that the session has.
    pub(crate) fn on_push_token(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        (device, push): (Option<TokenId>, Option<PushToken>),
    ) {
        cx.enter();
        let Some(device) = device else {
            return connections.refuse_with(cx, about, Code::NoSuchUser, "no such device");
        };
        let request = StoreRequest::SetPushToken { user, device, push };
        connections.request_mutation(cx, about, user, request, Change::PushToken);
    }

    /// Tokens of the user are worthless: sessions on other cores that came with them end.
    pub(crate) fn publish_revoked(&mut self, cx: &mut Cx, user: UserId, revoked: Revoked) {
        cx.enter();
        let notice = match revoked {
            Revoked::Token(token) => Envelope::token_revoked(user, token),
            Revoked::AllBut(token) => Envelope::other_tokens_revoked(user, token),
            Revoked::Everything => Envelope::everything_revoked(user),
        };
        cx.publish_counted(Channel::User(user), notice, PublishFlow::TokenRevoked { user, revoked });
    }

    pub(crate) fn on_revoked_published(
        &mut self,
        user: UserId,
        revoked: Revoked,
        receivers: Result<u32, BusDown>,
    ) {
        if receivers == Err(BusDown) {
            self.note_untold(user, revoked);
        }
    }

    /// Tells again whom the bus could not tell.
    pub(crate) fn repeat_revoked(&mut self, cx: &mut Cx) {
        cx.enter();
        for (user, revoked) in std::mem::take(&mut self.untold) {
            self.publish_revoked(cx, user, revoked);
        }
    }
}

impl AskedList {
    /// DEVICES_ACK.
    fn answer(self, cx: &mut Cx, connections: &mut Connections) {
        let is_online = |token| self.online.contains(&token);
        let answer = sync::devices(self.cid.as_deref(), &self.devices, self.here, is_online);
        connections.reply(cx, self.connection, answer);
        connections.resume(cx, self.connection, Pause::AwaitingReply);
    }
}

/// Requests a look-up. Later requests of the connection wait for the reply.
pub(super) fn look_up(
    cx: &mut Cx,
    connections: &mut Connections,
    about: About<'_>,
    request: StoreRequest,
    flow: DevicesFlow,
) {
    if cx.lookups_are_full() {
        return connections.refuse(cx, about, Code::Busy);
    }
    connections.pause(cx, about.connection, Pause::AwaitingReply);
    cx.look_up(request, flow);
}
