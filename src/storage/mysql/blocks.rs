//! Whose direct messages are refused by whom: as a list, and as a mark on the conversation, where
//! whoever stores a message sees it.

use super::accounts::{count, is_user};
use super::client::Client;
use super::fault::DbResult;
use super::{Answered, accounts, consent, row};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{Acquaintances, StoreReply};
use chatd_chat::wire::code::Code;
use mysql_async::Value;

/// The mark on a conversation that `user` refuses the messages of `sender`.
pub fn mark(user: UserId, sender: UserId) -> u64 {
    if user < sender { 1 } else { 2 }
}

pub async fn block(client: &mut Client, limits: &Limits, user: UserId, blocked: UserId) -> Answered {
    if !is_user(client, blocked).await? {
        return Ok(Err(Code::NoSuchUser));
    }
    // Two servers that do this at once must not go beyond the bound together; nor is anything asked meanwhile.
    consent::lock_pair(client, user, blocked).await?;
    let pair = || vec![user.get().into(), blocked.get().into()];
    let there = client.find_one("SELECT 1 FROM blocked WHERE userid = ? AND blocked = ?", pair()).await?;
    if there.is_some() {
        return Ok(Err(Code::Exists));
    }
    let others = count(client, "SELECT COUNT(*) FROM blocked WHERE userid = ?", user.get()).await?;
    if others >= limits.blocked as u64 {
        return Ok(Err(Code::TooMany));
    }
    client.write("INSERT INTO blocked (userid, blocked) VALUES (?, ?)", pair()).await?;
    let sql = "INSERT INTO conversation (low, high, refuses) VALUES (?, ?, ?)
        ON DUPLICATE KEY UPDATE refuses = refuses | VALUES(refuses)";
    client.write(sql, marked(user, blocked)).await?;
    consent::ask_no_more(client, user, blocked).await?;
    Ok(Ok(StoreReply::Done))
}

pub async fn unblock(client: &mut Client, user: UserId, blocked: UserId) -> Answered {
    let sql = "DELETE FROM blocked WHERE userid = ? AND blocked = ?";
    if client.write(sql, vec![user.get().into(), blocked.get().into()]).await? == 0 {
        return Ok(Err(Code::NoSuchUser));
    }
    let mut values = marked(user, blocked);
    values.rotate_right(1);
    let sql = "UPDATE conversation SET refuses = refuses & ~? WHERE low = ? AND high = ?";
    client.write(sql, values).await?;
    consent::forget_dropped(client, user, blocked).await?;
    Ok(Ok(StoreReply::Done))
}

fn marked(user: UserId, blocked: UserId) -> Vec<Value> {
    let (low, high) = (user.min(blocked), user.max(blocked));
    vec![low.get().into(), high.get().into(), row::sql_number(mark(user, blocked))]
}

/// Whom a user knows and refuses, and what it has chosen.
pub async fn acquaintances(client: &mut Client, limits: &Limits, user: UserId) -> Answered {
    let (friends, blocked) = (accounts::friend_list(client, limits, user).await?, all(client, user).await?);
    let known = Acquaintances { friends, blocked, settings: consent::settings(client, user).await? };
    Ok(Ok(StoreReply::Acquaintances(Box::new(known))))
}

/// Whom a user blocks, by id.
pub async fn all(client: &mut Client, user: UserId) -> DbResult<Vec<UserId>> {
    let sql = "SELECT blocked FROM blocked WHERE userid = ? ORDER BY blocked";
    client.find(sql, vec![user.get().into()]).await?.iter().map(|found| row::user(found, 0)).collect()
}
