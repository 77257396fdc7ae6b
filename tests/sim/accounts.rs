//! Accounts, as the server's API has them.

use super::store::Store;
use chatd::chat::model::act::{AccountAct, AccountName, AccountRecord};
use chatd::chat::model::ids::UserId;
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;

impl Store {
    /// Accounts are found and shut out, and tokens revoked; the API's other acts with them are the real stores'.
    pub fn account(&mut self, act: &AccountAct) -> StoreResult {
        match act {
            AccountAct::Find(AccountName::Id(user)) => self.account_of(*user),
            AccountAct::Put { who: AccountName::Id(user), disabled, .. } => {
                match disabled {
                    Some(true) => {
                        self.remembered.shut_out.insert(*user);
                        self.remembered.revoke_for_good(*user);
                    }
                    Some(false) => drop(self.remembered.shut_out.remove(user)),
                    None => {}
                }
                self.account_of(*user)
            }
            AccountAct::RevokeTokens(user) => {
                self.person(*user).ok_or(Code::NoSuchUser)?;
                self.remembered.revoke_for_good(*user);
                Ok(StoreReply::Done)
            }
            AccountAct::Find(_) | AccountAct::Put { .. } => Err(Code::NoSuchUser),
            AccountAct::IssueToken { .. } | AccountAct::Groups { .. } | AccountAct::Erase(_) => {
                Err(Code::NoSuchUser)
            }
        }
    }

    /// Whether this password lets somebody in.
    pub fn lets_in(&self, user: UserId, password: &str) -> bool {
        self.users[user.get() as usize - 1].1 == password && !self.remembered.shut_out.contains(&user)
    }

    fn account_of(&self, user: UserId) -> StoreResult {
        let found = self.person(user).ok_or(Code::NoSuchUser)?;
        let (external, disabled) = (None, self.remembered.shut_out.contains(&user));
        Ok(StoreReply::Account(AccountRecord { user, name: found.name, external, disabled }))
    }
}
