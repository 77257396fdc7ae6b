//! Users and their friends.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::{Answered, consent, marks, row};
use crate::Account;
use crate::names::fold;
use chatd_chat::model::consent::Parting;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Person, Who};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use mysql_async::Row;

pub async fn enroll(client: &mut Client, name: &str, hash: &str) -> Answered {
    // A name that is taken must not use up an id, so it is not left to the constraint, unless two
    // servers are given it in the same instant.
    let folded = fold(name);
    if is_taken(client, name, &folded).await? {
        return Ok(Err(Code::Refused));
    }
    let values = vec![row::sql_text(name), row::sql_text(&folded), row::sql_text(hash)];
    match client.write("INSERT INTO user (name, folded, password) VALUES (?, ?, ?)", values).await {
        Ok(_) => Ok(Ok(StoreReply::Registered(given(client, UserId::new)?))),
        Err(Fault::Exists(_)) => Ok(Err(Code::Refused)),
        Err(Fault::UsedUp(_)) => Ok(Err(Code::TooMany)),
        Err(fault) => Err(fault),
    }
}

/// Whether a name is somebody's, as it is written or as it is folded.
pub async fn is_taken(client: &mut Client, name: &str, folded: &str) -> DbResult<bool> {
    let sql = "SELECT 1 FROM user WHERE folded = ? OR name_bytes = ? LIMIT 1";
    Ok(client.find_one(sql, vec![row::sql_text(folded), row::sql_text(name)]).await?.is_some())
}

/// The id of whoever is named so: as it is written, if there is somebody, and as it is folded.
async fn id_of(client: &mut Client, who: &Who) -> DbResult<Option<u32>> {
    let name = match who {
        Who::Id(user) => return Ok(Some(user.get())),
        Who::Name(name) => name,
    };
    for (sql, value) in [
        ("SELECT id FROM user WHERE name_bytes = ?", row::sql_text(name)),
        ("SELECT id FROM user WHERE folded = ?", row::sql_text(&fold(name))),
    ] {
        if let Some(found) = client.find_one(sql, vec![value]).await? {
            return row::user(&found, 0).map(|user| Some(user.get()));
        }
    }
    Ok(None)
}

/// The id that an insert gave away.
pub fn given<T>(client: &Client, make: impl Fn(u64) -> Option<T>) -> DbResult<T> {
    client.last_id().and_then(make).ok_or_else(|| Fault::Unexpected("an insert gave no id".to_owned()))
}

pub async fn lookup(client: &mut Client, who: &Who) -> DbResult<Option<Account>> {
    let account = |found: Row| {
        let (name, hash) = (row::text(&found, 1)?.to_owned(), row::text(&found, 2)?.to_owned());
        Ok(Account { user: row::user(&found, 0)?, name, hash })
    };
    let Some(id) = id_of(client, who).await? else { return Ok(None) };
    let sql = "SELECT id, name, password FROM user WHERE id = ? AND password <> '' AND NOT disabled";
    client.find_one(sql, vec![id.into()]).await?.map(account).transpose()
}

pub async fn confirm(client: &mut Client, account: &Account) -> Answered {
    let sql = "SELECT 1 FROM user WHERE id = ? AND password = ? AND NOT disabled";
    let values = vec![account.user.get().into(), row::sql_text(&account.hash)];
    let same = client.find_one(sql, values).await?.is_some();
    Ok(if same { Ok(account.verified()) } else { Err(Code::Refused) })
}

pub async fn find(client: &mut Client, user: UserId, who: &Who) -> Answered {
    let Some(id) = id_of(client, who).await? else { return Ok(Err(Code::NoSuchUser)) };
    let sql =
        "SELECT id, name, EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?)
        FROM user WHERE id = ?";
    let found = client.find_one(sql, vec![user.get().into(), id.into()]).await?;
    let Some(found) = found else { return Ok(Err(Code::NoSuchUser)) };
    Ok(Ok(StoreReply::Found(person(&found, 0)?)))
}

/// Whether there is such a user.
pub async fn is_user(client: &mut Client, user: UserId) -> DbResult<bool> {
    let found = client.find_one("SELECT 1 FROM user WHERE id = ?", vec![user.get().into()]).await?;
    Ok(found.is_some())
}

pub async fn friends(client: &mut Client, limits: &Limits, user: UserId) -> Answered {
    Ok(Ok(StoreReply::Friends(friend_list(client, limits, user).await?)))
}

pub async fn friend_list(client: &mut Client, limits: &Limits, user: UserId) -> DbResult<Vec<Person>> {
    let sql = "SELECT user.id, user.name,
            EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = friend.userid)
        FROM friend JOIN user ON user.id = friend.friendid
        WHERE friend.userid = ? ORDER BY friend.friendid LIMIT ?";
    let found = client.find(sql, vec![user.get().into(), row::sql_number(limits.friends as u64)]).await?;
    found.iter().map(|found| person(found, 0)).collect()
}

/// Which friends of a user block it, by id.
pub async fn hidden(client: &mut Client, user: UserId) -> Answered {
    let sql = "SELECT friend.friendid FROM friend
        JOIN blocked AS b ON b.userid = friend.friendid AND b.blocked = friend.userid
        WHERE friend.userid = ? ORDER BY friend.friendid";
    let found = client.find(sql, vec![user.get().into()]).await?;
    let hidden = found.iter().map(|found| row::user(found, 0)).collect::<DbResult<_>>()?;
    Ok(Ok(StoreReply::Hidden(hidden)))
}

/// A person from a row that has its id at `column`, then its name, then whether it blocks whoever asks.
pub fn person(found: &Row, column: usize) -> DbResult<Person> {
    let (id, name) = (row::user(found, column)?, row::text(found, column + 1)?.to_owned());
    Ok(Person { id, name, hides: row::number(found, column + 2)? != 0 })
}

pub async fn add_friend(client: &mut Client, limits: &Limits, user: UserId, friend: UserId) -> Answered {
    if consent::lock_pair(client, user, friend).await?.is_none() {
        return Ok(Err(Code::NoSuchUser));
    }
    if has_friend(client, user, friend).await? {
        return Ok(Err(Code::Exists));
    }
    if has_all_friends(client, limits, user).await? {
        return Ok(Err(Code::TooMany));
    }
    let pair = vec![user.get().into(), friend.get().into()];
    client.write("INSERT INTO friend (userid, friendid) VALUES (?, ?)", pair).await?;
    marks::friend_changed(client, user, friend).await?;
    let other_way = vec![friend.get().into(), user.get().into()];
    let hides = client.find_one("SELECT 1 FROM blocked WHERE userid = ? AND blocked = ?", other_way).await?;
    Ok(Ok(if hides.is_some() { StoreReply::Hidden(vec![friend]) } else { StoreReply::Done }))
}

/// Whether somebody is on a user's list of friends.
pub async fn has_friend(client: &mut Client, user: UserId, friend: UserId) -> DbResult<bool> {
    let sql = "SELECT 1 FROM friend WHERE userid = ? AND friendid = ?";
    Ok(client.find_one(sql, vec![user.get().into(), friend.get().into()]).await?.is_some())
}

/// Whether a user has as many friends as it may have.
pub async fn has_all_friends(client: &mut Client, limits: &Limits, user: UserId) -> DbResult<bool> {
    let friends = count(client, "SELECT COUNT(*) FROM friend WHERE userid = ?", user.get()).await?;
    Ok(friends >= limits.friends as u64)
}

pub async fn del_friend(client: &mut Client, user: UserId, friend: UserId, parting: Parting) -> Answered {
    consent::lock_pair(client, user, friend).await?;
    if !delete_friend(client, user, friend).await? {
        return Ok(Err(Code::NoSuchUser));
    }
    let both = parting == Parting::BothLists && delete_friend(client, friend, user).await?;
    Ok(Ok(if both { StoreReply::Parted } else { StoreReply::Done }))
}

async fn delete_friend(client: &mut Client, user: UserId, friend: UserId) -> DbResult<bool> {
    let sql = "DELETE FROM friend WHERE userid = ? AND friendid = ?";
    let gone = client.write(sql, vec![user.get().into(), friend.get().into()]).await?;
    if gone > 0 {
        marks::friend_changed(client, user, friend).await?;
    }
    Ok(gone > 0)
}

/// The number that a statement about one id counts.
pub async fn count(client: &mut Client, sql: &'static str, id: u32) -> DbResult<u64> {
    client.find_one(sql, vec![id.into()]).await?.map_or(Ok(0), |found| row::number(&found, 0))
}
