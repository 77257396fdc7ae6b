//! Friendships that are asked for, and what users have chosen.
//!
//! Several servers do this at once: whoever changes whose friend somebody is, or who may write to it, locks that user's row
//! first, both of two in the order of their ids. What a user has chosen is also a mark on its conversations, where whoever
//! stores a message sees it ([`marks`](super::marks)).

use super::accounts::{self, count};
use super::client::Client;
use super::fault::DbResult;
use super::{Answered, marks, row};
use chatd_chat::model::consent::{
    FriendAnswer, FriendAsk, NewFriend, SavedSettings, Settings, SettingsChange, WhoWrites,
};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};

pub async fn ask(
    client: &mut Client,
    limits: &Limits,
    (user, friend): (UserId, UserId),
    note: &str,
    cid: Option<&str>,
) -> Answered {
    let Some(name) = lock_pair(client, user, friend).await? else { return Ok(Err(Code::NoSuchUser)) };
    if are_friends(client, user, friend).await? {
        return Ok(Err(Code::Exists));
    }
    if asks(client, friend, user).await? {
        return befriend(client, limits, (user, friend), name).await;
    }
    let sql = "SELECT cid FROM friend_ask WHERE userid = ? AND asker = ?";
    if let Some(before) = client.find_one(sql, pair(friend, user)).await? {
        let is_again =
            cid.is_some_and(|cid| row::bytes(&before, 0).is_ok_and(|before| before == cid.as_bytes()));
        return Ok(if is_again { Ok(StoreReply::Done) } else { Err(Code::Exists) });
    }
    let made = count(client, "SELECT COUNT(*) FROM friend_ask WHERE asker = ?", user.get()).await?;
    let sql = "SELECT COUNT(*) FROM friend_ask WHERE userid = ? AND dropped = 0";
    let asked = count(client, sql, friend.get()).await?;
    if made >= limits.friend_asks as u64 || asked >= limits.friend_asked as u64 {
        return Ok(Err(Code::TooMany));
    }
    let dropped = blocks(client, friend, user).await?;
    let mut values = pair(friend, user);
    values.extend([row::sql_text(note), cid.map_or(Value::NULL, row::sql_text), dropped.into()]);
    let sql = "INSERT INTO friend_ask (userid, asker, note, cid, dropped) VALUES (?, ?, ?, ?, ?)";
    client.write(sql, values).await?;
    Ok(Ok(if dropped { StoreReply::Done } else { StoreReply::Asked }))
}

pub async fn answer(
    client: &mut Client,
    limits: &Limits,
    (user, friend): (UserId, UserId),
    answer: FriendAnswer,
) -> Answered {
    let Some(name) = lock_pair(client, user, friend).await? else { return Ok(Err(Code::NoSuchUser)) };
    if answer == FriendAnswer::No {
        // What the user was never told of stays, so that whoever asked learns nothing by it.
        let sql = "DELETE FROM friend_ask WHERE userid = ? AND asker = ? AND dropped = 0";
        client.write(sql, pair(user, friend)).await?;
        take_back(client, user, friend).await?;
        return Ok(Ok(StoreReply::Done));
    }
    if asks(client, friend, user).await? {
        return befriend(client, limits, (user, friend), name).await;
    }
    Ok(if are_friends(client, user, friend).await? { Ok(StoreReply::Done) } else { Err(Code::NoSuchUser) })
}

/// Both are on each other's list from now on, and nobody asks any more.
async fn befriend(client: &mut Client, limits: &Limits, two: (UserId, UserId), name: String) -> Answered {
    let (user, friend) = two;
    for (of, other) in [(user, friend), (friend, user)] {
        if !accounts::has_friend(client, of, other).await?
            && accounts::has_all_friends(client, limits, of).await?
        {
            return Ok(Err(Code::TooMany));
        }
    }
    for (of, other) in [(user, friend), (friend, user)] {
        client.write("INSERT IGNORE INTO friend (userid, friendid) VALUES (?, ?)", pair(of, other)).await?;
        marks::friend_changed(client, of, other).await?;
    }
    ask_no_more(client, user, friend).await?;
    let hides = blocks(client, friend, user).await?;
    let is_hidden = blocks(client, user, friend).await?;
    Ok(Ok(StoreReply::Befriended(NewFriend { name, hides, is_hidden })))
}

/// Neither of the two asks the other for anything any more.
pub async fn ask_no_more(client: &mut Client, one: UserId, other: UserId) -> DbResult<()> {
    take_back(client, one, other).await?;
    take_back(client, other, one).await
}

async fn take_back(client: &mut Client, asker: UserId, user: UserId) -> DbResult<()> {
    let sql = "DELETE FROM friend_ask WHERE userid = ? AND asker = ?";
    client.write(sql, pair(user, asker)).await.map(drop)
}

/// What was asked while `user` blocked `asker` came to nothing: it may be asked anew.
pub async fn forget_dropped(client: &mut Client, user: UserId, asker: UserId) -> DbResult<()> {
    let sql = "DELETE FROM friend_ask WHERE userid = ? AND asker = ? AND dropped = 1";
    client.write(sql, pair(user, asker)).await.map(drop)
}

fn pair(one: UserId, other: UserId) -> Vec<Value> {
    vec![one.get().into(), other.get().into()]
}

/// Locks the rows of two users. The name of the second one, if it is there.
pub async fn lock_pair(client: &mut Client, user: UserId, friend: UserId) -> DbResult<Option<String>> {
    let sql = "SELECT id, name FROM user WHERE id IN (?, ?) ORDER BY id FOR UPDATE";
    for found in client.find(sql, pair(user, friend)).await? {
        if row::user(&found, 0)? == friend {
            return row::text(&found, 1).map(|name| Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// Whether `asker` asks `user`, which knows of it.
async fn asks(client: &mut Client, asker: UserId, user: UserId) -> DbResult<bool> {
    let sql = "SELECT 1 FROM friend_ask WHERE userid = ? AND asker = ? AND dropped = 0";
    Ok(client.find_one(sql, pair(user, asker)).await?.is_some())
}

async fn are_friends(client: &mut Client, one: UserId, other: UserId) -> DbResult<bool> {
    Ok(accounts::has_friend(client, one, other).await? && accounts::has_friend(client, other, one).await?)
}

async fn blocks(client: &mut Client, user: UserId, other: UserId) -> DbResult<bool> {
    let sql = "SELECT 1 FROM blocked WHERE userid = ? AND blocked = ?";
    Ok(client.find_one(sql, pair(user, other)).await?.is_some())
}

/// Who asks a user for its friendship, by id.
pub async fn asking(client: &mut Client, limits: &Limits, user: UserId) -> DbResult<Vec<FriendAsk>> {
    let sql = "SELECT user.id, user.name, note FROM friend_ask JOIN user ON user.id = asker
        WHERE userid = ? AND dropped = 0 ORDER BY asker LIMIT ?";
    let ask = |found: &Row| {
        let (name, note) = (row::text(found, 1)?.to_owned(), row::text(found, 2)?.to_owned());
        Ok(FriendAsk { asker: row::user(found, 0)?, name, note })
    };
    let found =
        client.find(sql, vec![user.get().into(), row::sql_number(limits.friend_asked as u64)]).await?;
    found.iter().map(ask).collect()
}

/// What a user has chosen.
pub async fn settings(client: &mut Client, user: UserId) -> DbResult<Settings> {
    let sql = "SELECT who_writes, read_receipts FROM setting WHERE userid = ?";
    let Some(found) = client.find_one(sql, vec![user.get().into()]).await? else {
        return Ok(Settings::default());
    };
    Ok(Settings { who_writes: marks::who(&found, 0)?, read_receipts: row::number(&found, 1)? != 0 })
}

pub async fn save_settings(client: &mut Client, user: UserId, change: SettingsChange) -> Answered {
    client.find("SELECT id FROM user WHERE id = ? FOR UPDATE", vec![user.get().into()]).await?;
    let before = settings(client, user).await?;
    let settings = change.applied_to(before);
    let changed = settings != before;
    if changed {
        let values =
            vec![user.get().into(), row::sql_text(settings.who_writes.name()), settings.read_receipts.into()];
        let sql = "INSERT INTO setting (userid, who_writes, read_receipts) VALUES (?, ?, ?)
            ON DUPLICATE KEY UPDATE who_writes = VALUES(who_writes), read_receipts = VALUES(read_receipts)";
        client.write(sql, values).await?;
    }
    if settings.who_writes != before.who_writes {
        marks::chosen(client, user, settings.who_writes).await?;
    }
    Ok(Ok(StoreReply::Settings(SavedSettings { settings, changed })))
}

/// Whether a user takes the messages of another one, as far as it has chosen. Waits for whoever changes that just now.
pub async fn takes(
    client: &mut Client,
    user: UserId,
    who_writes: WhoWrites,
    sender: UserId,
) -> DbResult<bool> {
    let sql = "SELECT 1 FROM friend WHERE userid = ? AND friendid = ? LOCK IN SHARE MODE";
    Ok(match who_writes {
        WhoWrites::All => true,
        WhoWrites::None => false,
        WhoWrites::Friends => client.find_one(sql, pair(user, sender)).await?.is_some(),
    })
}
