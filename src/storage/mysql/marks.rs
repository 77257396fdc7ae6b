//! What users have chosen, as marks on their conversations: whoever stores a message locks the row of its conversation anyway,
//! and sees there whether it is wanted.
//!
//! A conversation that is new has no mark yet. Whoever makes its row looks at what both have chosen, after the row is made; and
//! who chooses writes that down first, and marks its conversations then. So one of the two sees the other, or waits for it.

use super::client::{Client, Many};
use super::consent::takes;
use super::fault::DbResult;
use super::row;
use chatd_chat::model::consent::WhoWrites;
use chatd_chat::model::ids::UserId;
use mysql_async::{Row, Value};

/// What users have chosen who are in conversations that are new; nobody chooses anew meanwhile.
const CHOSEN: Many = Many::new(
    "SELECT userid, who_writes FROM setting WHERE who_writes <> 'all' AND userid IN (",
    "?",
    ") LOCK IN SHARE MODE",
);

/// The mark on a conversation that `user` takes no message of `sender` because of what it has chosen.
pub fn mark(user: UserId, sender: UserId) -> u64 {
    if user < sender { 4 } else { 8 }
}

/// Marks all conversations of a user, which has chosen this.
pub async fn chosen(client: &mut Client, user: UserId, who_writes: WhoWrites) -> DbResult<()> {
    let (low, high) = match who_writes {
        WhoWrites::All => (
            "UPDATE conversation SET refuses = refuses & ~4 WHERE low = ?",
            "UPDATE conversation SET refuses = refuses & ~8 WHERE high = ?",
        ),
        WhoWrites::None => (
            "UPDATE conversation SET refuses = refuses | 4 WHERE low = ? AND low <> high",
            "UPDATE conversation SET refuses = refuses | 8 WHERE high = ? AND low <> high",
        ),
        WhoWrites::Friends => (
            "UPDATE conversation SET refuses = IF(EXISTS (SELECT 1 FROM friend
                 WHERE friend.userid = conversation.low AND friend.friendid = conversation.high),
                 refuses & ~4, refuses | 4) WHERE low = ? AND low <> high",
            "UPDATE conversation SET refuses = IF(EXISTS (SELECT 1 FROM friend
                 WHERE friend.userid = conversation.high AND friend.friendid = conversation.low),
                 refuses & ~8, refuses | 8) WHERE high = ? AND low <> high",
        ),
    };
    client.write(low, vec![user.get().into()]).await?;
    client.write(high, vec![user.get().into()]).await.map(drop)
}

/// Somebody came onto a user's list of friends, or off it. The user's row is locked.
pub async fn friend_changed(client: &mut Client, user: UserId, other: UserId) -> DbResult<()> {
    let sql = "SELECT who_writes FROM setting WHERE userid = ? AND who_writes = 'friends'";
    if client.find_one(sql, vec![user.get().into()]).await?.is_none() {
        return Ok(());
    }
    let takes = takes(client, user, WhoWrites::Friends, other).await?;
    set(client, user, other, takes).await
}

async fn set(client: &mut Client, user: UserId, sender: UserId, takes: bool) -> DbResult<()> {
    let (low, high) = (user.min(sender), user.max(sender));
    let sql = match takes {
        true => "UPDATE conversation SET refuses = refuses & ~? WHERE low = ? AND high = ?",
        false => "UPDATE conversation SET refuses = refuses | ? WHERE low = ? AND high = ?",
    };
    let values = vec![row::sql_number(mark(user, sender)), low.get().into(), high.get().into()];
    client.write(sql, values).await.map(drop)
}

/// Marks conversations that are new, whose rows are made just now. Gives back who refuses whom in them.
pub async fn begin(client: &mut Client, new: &[(UserId, UserId)]) -> DbResult<Vec<(UserId, UserId)>> {
    let users: Vec<Value> =
        new.iter().flat_map(|(low, high)| [low.get().into(), high.get().into()]).collect();
    let mut refused = Vec::new();
    for found in client.find_all(CHOSEN, &users, &[]).await? {
        let (user, who_writes) = (row::user(&found, 0)?, who(&found, 1)?);
        for &(low, high) in new.iter().filter(|(low, high)| low != high && (*low == user || *high == user)) {
            let sender = if low == user { high } else { low };
            if !takes(client, user, who_writes, sender).await? {
                set(client, user, sender, false).await?;
                refused.push((user, sender));
            }
        }
    }
    Ok(refused)
}

/// What a column says of who writes. What no chatd has written there lets nobody write.
pub fn who(found: &Row, column: usize) -> DbResult<WhoWrites> {
    Ok(WhoWrites::named(row::text(found, column)?).unwrap_or(WhoWrites::None))
}
