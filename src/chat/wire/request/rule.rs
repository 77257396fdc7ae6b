//! What somebody who runs a group wants: the fields of ROLE, KICK, MUTE, GROUP_SET and JOIN_ANSWER.

use super::fields::{Checked, Reader, invalid};
use crate::model::group_rule::{GroupRule, JoinPolicy};
use crate::model::profile::Role;
use crate::wire::msgid;

impl Reader<'_, '_> {
    /// The rule that comes with this msgid.
    pub(super) fn rule(&self, msgid: u32) -> Checked<GroupRule> {
        Ok(match msgid {
            msgid::ROLE => {
                let role = Role::named(self.text("role")?);
                let role = role.ok_or_else(|| invalid("role must be owner, admin or normal".into()))?;
                GroupRule::Role { user: self.user("userid")?, role }
            }
            msgid::KICK => {
                let ban = self.optional("ban_until", Self::until)?.unwrap_or_default();
                GroupRule::Kick { user: self.user("userid")?, ban }
            }
            msgid::MUTE => {
                let until = self.until("until")?;
                match (self.optional("all", Self::flag)? == Some(true), self.has("userid")) {
                    (true, true) => return Err(invalid("userid or all, not both".into())),
                    (true, false) => GroupRule::MuteAll { until },
                    (false, _) => GroupRule::Mute { user: self.user("userid")?, until },
                }
            }
            msgid::JOIN_ANSWER => GroupRule::Answer { user: self.user("userid")?, yes: self.flag("yes")? },
            _ => self.group_set()?,
        })
    }

    fn group_set(&self) -> Checked<GroupRule> {
        let most = self.limits.desc_chars;
        let name = self.optional("groupname", Self::text)?.map(str::to_owned);
        let desc = self.optional("groupdesc", |reader, name| reader.bounded(name, 0, most))?;
        let join = self.optional("join", |reader, name| {
            let policy = JoinPolicy::named(reader.text(name)?);
            policy.ok_or_else(|| invalid("join must be open, ask or closed".into()))
        })?;
        if name.is_none() && desc.is_none() && join.is_none() {
            return Err(invalid("missing field: groupname, groupdesc or join".into()));
        }
        Ok(GroupRule::Set { name, desc: desc.map(str::to_owned), join })
    }
}
