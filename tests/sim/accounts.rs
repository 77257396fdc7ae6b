//! Accounts, as the server's API has them.

use super::store::Store;
use chatd::chat::model::act::{AccountAct, AccountName, AccountRecord};
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;

impl Store {
    /// Accounts are found; the API's other acts with them are the real stores'.
    pub fn account(&self, act: &AccountAct) -> StoreResult {
        let found = match act {
            AccountAct::Find(AccountName::Id(user)) => self.person(*user),
            AccountAct::Find(_) | AccountAct::Put { .. } => None,
            AccountAct::IssueToken { .. } | AccountAct::RevokeTokens(_) => None,
            AccountAct::Groups { .. } | AccountAct::Erase(_) => None,
        };
        let found = found.ok_or(Code::NoSuchUser)?;
        let (external, disabled) = (None, false);
        let record = AccountRecord { user: found.id, name: found.name, external, disabled };
        Ok(StoreReply::Account(record))
    }
}
