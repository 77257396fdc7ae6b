//! What the server's API does with accounts.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::{Answered, accounts, admissions, row, tokens};
use crate::admission::{ERASED, names};
use crate::names::fold;
use crate::outbox::pending::Pending;
use crate::token::{Uses, issued};
use chatd_chat::model::act::{AccountAct, AccountName, AccountRecord};
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use mysql_async::Row;

const BY_ID: &str = "SELECT id, name, external, disabled FROM user WHERE id = ?";
const BY_EXTERNAL: &str = "SELECT id, name, external, disabled FROM user WHERE external = ?";
const BY_NAME: &str = "SELECT id, name, external, disabled FROM user WHERE name = ?";
const BY_FOLDED: &str = "SELECT id, name, external, disabled FROM user WHERE folded = ?";

pub async fn perform(
    client: &mut Client,
    limits: &Limits,
    (uses, pending): (&mut Uses, &mut Pending),
    act: &AccountAct,
) -> Answered {
    match act {
        AccountAct::Find(who) => {
            Ok(find(client, who).await?.map(StoreReply::Account).ok_or(Code::NoSuchUser))
        }
        AccountAct::Put { who, name, disabled } => {
            put(client, limits, pending, (who, name.as_deref()), *disabled).await
        }
        AccountAct::IssueToken { user, device, cid } => match find(client, &AccountName::Id(*user)).await? {
            None => Ok(Err(Code::NoSuchUser)),
            Some(AccountRecord { disabled: true, .. }) => Ok(Err(Code::NotYours)),
            Some(_) => {
                let before = match cid {
                    Some(cid) => tokens::take_asked(client, *user, cid).await?,
                    None => None,
                };
                let token = tokens::issue(client, limits, uses, *user, (device.as_deref(), None)).await?;
                if let Some(cid) = cid {
                    tokens::note_asked(client, token.id, cid).await?;
                }
                Ok(Ok(issued(token, before)))
            }
        },
        AccountAct::Groups { user, owned } => groups(client, *user, owned.as_deref()).await,
        AccountAct::Erase(user) => erase(client, limits, *user).await,
        AccountAct::RevokeTokens(user) => {
            if find(client, &AccountName::Id(*user)).await?.is_none() {
                return Ok(Err(Code::NoSuchUser));
            }
            tokens::revoke_all(client, *user).await?;
            Ok(Ok(StoreReply::Done))
        }
    }
}

/// Who is named so: by its name, as it is written, if there is somebody, and as it is folded.
pub async fn find(client: &mut Client, who: &AccountName) -> DbResult<Option<AccountRecord>> {
    let found = match who {
        AccountName::Id(user) => client.find_one(BY_ID, vec![user.get().into()]).await?,
        AccountName::External(external) => {
            client.find_one(BY_EXTERNAL, vec![row::sql_text(external)]).await?
        }
        AccountName::Name(name) => match client.find_one(BY_NAME, vec![row::sql_text(name)]).await? {
            None => client.find_one(BY_FOLDED, vec![row::sql_text(&fold(name))]).await?,
            found => found,
        },
    };
    found.as_ref().map(record).transpose()
}

fn record(found: &Row) -> DbResult<AccountRecord> {
    // An absent one reads as an empty one, which no application has.
    let external = Some(row::text(found, 2)?).filter(|external| !external.is_empty()).map(str::to_owned);
    let (user, name, disabled) =
        (row::user(found, 0)?, row::text(found, 1)?.to_owned(), row::number(found, 3)? != 0);
    Ok(AccountRecord { user, name, external, disabled })
}

async fn put(
    client: &mut Client,
    limits: &Limits,
    pending: &mut Pending,
    (who, name): (&AccountName, Option<&str>),
    disabled: Option<bool>,
) -> Answered {
    let found = match find(client, who).await? {
        Some(found) => found,
        None => match make(client, limits, pending, (who, name)).await? {
            Ok(made) => made,
            Err(code) => return Ok(Err(code)),
        },
    };
    let Some(disabled) = disabled else { return Ok(Ok(StoreReply::Account(found))) };
    let sql = "UPDATE user SET disabled = ? WHERE id = ?";
    client.write(sql, vec![u32::from(disabled).into(), found.user.get().into()]).await?;
    if disabled {
        tokens::revoke_all(client, found.user).await?;
    }
    Ok(Ok(StoreReply::Account(AccountRecord { disabled, ..found })))
}

/// Makes a user without a password. Two servers may be asked in the same instant: whoever comes second finds what the
/// first has made.
async fn make(
    client: &mut Client,
    limits: &Limits,
    pending: &mut Pending,
    (who, name): (&AccountName, Option<&str>),
) -> DbResult<Result<AccountRecord, Code>> {
    match who {
        AccountName::Id(_) => Ok(Err(Code::NoSuchUser)),
        AccountName::External(external) => {
            let made = admissions::make(client, limits, pending, (external, name)).await?;
            let external = Some(external.to_string());
            Ok(made.map(|(user, name, disabled)| AccountRecord { user, name, external, disabled }))
        }
        AccountName::Name(name) => {
            let sql = "INSERT INTO user (name, folded, password) VALUES (?, ?, '')";
            match client.write(sql, vec![row::sql_text(name), row::sql_text(&fold(name))]).await {
                Ok(_) => {
                    let user = accounts::given(client, UserId::new)?;
                    pending.user(user, name, None);
                    let (name, external) = (name.to_string(), None);
                    Ok(Ok(AccountRecord { user, name, external, disabled: false }))
                }
                Err(Fault::Exists(_)) => Ok(find(client, who).await?.ok_or(Code::Busy)),
                Err(Fault::UsedUp(_)) => Ok(Err(Code::TooMany)),
                Err(fault) => Err(fault),
            }
        }
    }
}

async fn groups(client: &mut Client, user: UserId, owned: Option<&str>) -> Answered {
    const ALL: &str = "SELECT groupid FROM groupuser JOIN allgroup ON allgroup.id = groupuser.groupid
        WHERE userid = ? AND groupname IS NOT NULL ORDER BY groupid";
    const OWNED: &str = "SELECT groupid FROM groupuser JOIN allgroup ON allgroup.id = groupuser.groupid
        WHERE userid = ? AND folded = ? AND grouprole = 'creator' ORDER BY groupid";
    let found = match owned {
        None => client.find(ALL, vec![user.get().into()]).await?,
        Some(name) => client.find(OWNED, vec![user.get().into(), row::sql_text(&fold(name))]).await?,
    };
    let groups: DbResult<Vec<GroupId>> = found.iter().map(|found| row::group(found, 0)).collect();
    Ok(Ok(StoreReply::Groups(groups?)))
}

async fn erase(client: &mut Client, limits: &Limits, user: UserId) -> Answered {
    if find(client, &AccountName::Id(user)).await?.is_none() {
        return Ok(Err(Code::NoSuchUser));
    }
    tokens::revoke_all(client, user).await?;
    for sql in [
        "DELETE FROM friend WHERE userid = ?",
        "DELETE FROM friend WHERE friendid = ?",
        "DELETE FROM friend_ask WHERE userid = ?",
        "DELETE FROM friend_ask WHERE asker = ?",
        "DELETE FROM blocked WHERE userid = ?",
        "DELETE FROM setting WHERE userid = ?",
        "DELETE FROM grouprequest WHERE userid = ?",
        "DELETE FROM offlinemessage WHERE userid = ?",
    ] {
        client.write(sql, vec![user.get().into()]).await?;
    }
    for name in names(&user.to_string(), Some(ERASED), limits) {
        let folded = fold(&name);
        if accounts::is_taken(client, &name, &folded).await? {
            continue;
        }
        let sql =
            "UPDATE user SET name = ?, folded = ?, password = '', external = NULL, disabled = 1 WHERE id = ?";
        let values = vec![row::sql_text(&name), row::sql_text(&folded), user.get().into()];
        client.write(sql, values).await?;
        return Ok(Ok(StoreReply::Done));
    }
    Ok(Err(Code::TooMany))
}
