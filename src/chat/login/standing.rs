//! Standing: after the bus was lost it is looked up who of the users here was shut out meanwhile. That is told on the
//! bus, and this core could not hear it.

use super::Logins;
use crate::model::act::{AccountAct, AccountName, AccountRecord};
use crate::model::ids::UserId;
use crate::port::cx::Cx;
use crate::port::in_flight::LoginFlow;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use std::collections::BTreeSet;

/// Users who are looked up at one tick.
const QUERIES: usize = 16;

/// Users of whom it is not known whether they may be here: one entry each.
#[derive(Debug, Default)]
pub(super) struct Unsure(BTreeSet<UserId>);

impl Logins {
    /// A user is here of whom this core may have missed that it was shut out.
    pub(crate) fn doubt_standing(&mut self, user: UserId) {
        self.unsure.0.insert(user);
    }

    /// Looks up some of them.
    pub(crate) fn tick_standing(&mut self, cx: &mut Cx) {
        cx.enter();
        for _ in 0..QUERIES {
            let Some(user) = self.unsure.0.pop_first() else { break };
            let find = AccountAct::Find(AccountName::Id(user));
            cx.request(StoreRequest::Account(find), LoginFlow::Standing { user });
        }
    }

    /// The store says who somebody is, or not. Whether it may be here no more.
    pub(crate) fn on_standing(&mut self, user: UserId, account: Result<AccountRecord, Code>) -> bool {
        match account {
            Ok(account) => account.disabled,
            Err(Code::NoSuchUser) => true,
            Err(_) => {
                self.doubt_standing(user);
                false
            }
        }
    }
}
