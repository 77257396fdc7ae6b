//! Logins whose passwords another application knows: it is asked in the place of a hash.

use super::{AccountKey, Thread};
use crate::Order;
use crate::admission::Admission;
use crate::auth_hook::Vouched;
use crate::password::Verdict;
use crate::replies::Requester;
use chatd_chat::model::profile::Who;
use chatd_chat::model::source::Source;
use chatd_chat::model::token::Password;
use chatd_chat::wire::code::Code;

impl Thread {
    /// Lets in whom the application knows. Without an answer nobody is let in, and nobody has guessed wrong.
    pub(super) fn ask(
        &mut self,
        (requester, key, from): (Requester, Option<AccountKey>, Source),
        who: &Who,
        password: &Password,
    ) {
        let Some(hook) = self.hook.clone() else { return };
        let answer = hook.ask(who, password);
        let verdict = answer.as_ref().ok().map(|vouched| match vouched {
            Some(_) => Verdict::Right,
            None => Verdict::Wrong,
        });
        self.judge(key, from, verdict);
        match answer {
            Ok(Some(Vouched { external, name })) => {
                let admission = Admission { external, name, expires: None, renews: None };
                self.hand_back(requester, Order::Admit { admission });
            }
            Ok(None) => self.shared.replies.send(requester, Err(Code::Refused)),
            Err(_) => self.shared.replies.send(requester, Err(Code::Busy)),
        }
    }

    /// What waited for what came of this one may be looked at now.
    pub(super) fn judge(&self, key: Option<AccountKey>, from: Source, verdict: Option<Verdict>) {
        let Some(key) = key else { return };
        let now = self.shared.now();
        let refused = self.shared.line().judge(key, from, verdict, now);
        self.shared.work.notify_all();
        self.shared.refuse(refused);
    }
}
