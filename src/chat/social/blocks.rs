//! Blocked users: the store refuses their direct messages; those that would reach their reader all the same are
//! dropped by its connection.

use super::Social;
use crate::connection::{About, Connections};
use crate::model::ids::UserId;
use crate::port::cx::Cx;
use crate::port::in_flight::Change;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;

impl Social {
    /// BLOCK.
    pub(crate) fn on_block(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        blocked: UserId,
    ) {
        cx.enter();
        if user == blocked {
            return connections.refuse_with(cx, about, Code::InvalidField, "userid is you");
        }
        let request = StoreRequest::Block { user, blocked };
        connections.request_mutation(cx, about, user, request, Change::Block { user: blocked });
    }

    /// UNBLOCK.
    pub(crate) fn on_unblock(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        blocked: UserId,
    ) {
        cx.enter();
        let request = StoreRequest::Unblock { user, blocked };
        connections.request_mutation(cx, about, user, request, Change::Unblock { user: blocked });
    }
}
