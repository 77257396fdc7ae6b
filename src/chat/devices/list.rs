//! The list of a user's devices, and the end of one.

use super::Devices;
use crate::connection::{About, Connections, Pause};
use crate::model::device::Device;
use crate::model::envelope::{Envelope, Revoked};
use crate::model::ids::{ConnectionId, UserId};
use crate::model::token::TokenId;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{Change, DevicesFlow, PublishFlow};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::{msgid, sync};

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

    /// DEVICES_ACK, or ERROR. `here` is the session's own token, `is_online` says of which others a session is known.
    pub(crate) fn on_list(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (connection, cid): (ConnectionId, Option<&str>),
        here: Option<TokenId>,
        is_online: &dyn Fn(TokenId) -> bool,
        devices: Result<Vec<Device>, Code>,
    ) {
        cx.enter();
        match devices {
            Ok(devices) => {
                connections.reply(cx, connection, sync::devices(cid, &devices, here, is_online));
            }
            Err(code) => connections.refuse(cx, About { connection, re: msgid::DEVICES, cid }, code),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
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

    /// Tokens of the user are worthless: sessions on other cores that came with them end.
    pub(crate) fn publish_revoked(&mut self, cx: &mut Cx, user: UserId, revoked: Revoked) {
        cx.enter();
        let notice = match revoked {
            Revoked::Token(token) => Envelope::token_revoked(user, token),
            Revoked::AllBut(token) => Envelope::other_tokens_revoked(user, token),
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
