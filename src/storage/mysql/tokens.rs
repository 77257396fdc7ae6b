//! Tokens, and the password that they hang on.

use super::client::{Client, Many, ROWS};
use super::fault::DbResult;
use super::{Answered, row};
use crate::token::{Print, Uses, has_expired, make, password_print, print_of, stale_at};
use chatd_chat::model::device::{Device, PushToken};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Proof, Secret, Token, TokenId};
use chatd_chat::port::store::{Resumed, StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};
use std::collections::HashMap;

const FIND: Many =
    Many::new("SELECT id, hash, userid, used, device, expires FROM token WHERE id IN (", "?", ")");
const USED: Many = Many::new("UPDATE token SET used = ? WHERE id IN (", "?", ")");
// As numbers: compared as texts, ids would lose their last digits.
const RENAME: Many = Many {
    head: "UPDATE (",
    row: "SELECT CAST(? AS SIGNED) AS id, ? AS device",
    between: " UNION ALL ",
    tail: ") AS renamed STRAIGHT_JOIN token FORCE INDEX (PRIMARY) ON token.id = renamed.id
        SET token.device = renamed.device",
};
const NAMES: Many = Many::new("SELECT id, name FROM user WHERE NOT disabled AND id IN (", "?", ")");

const APPLICATIONS_USER: &str = "SELECT 1 FROM user WHERE id = ? AND external IS NOT NULL AND NOT disabled";
const APPLICATIONS_USER_LOCKED: &str =
    "SELECT 1 FROM user WHERE id = ? AND external IS NOT NULL AND NOT disabled LOCK IN SHARE MODE";

/// A token, and what the device calls itself that comes with it.
pub type Resuming<'a> = (&'a Secret, Option<&'a str>);

/// Finds out whose tokens these are, all at once: after a restart they come in thousands.
pub async fn resume(
    client: &mut Client,
    limits: &Limits,
    uses: &mut Uses,
    resumed: &[Resuming<'_>],
) -> DbResult<Vec<StoreResult>> {
    let (prints, now): (Vec<Print>, u64) =
        (resumed.iter().map(|(secret, _)| print_of(secret)).collect(), uses.next());
    let ids: Vec<Value> = prints.iter().map(|print| sql_token(print.id)).collect();
    // Who resumes twice has the name that was said last.
    let devices: HashMap<TokenId, &str> = prints.iter().zip(resumed).filter_map(named).collect();
    let (mut users, mut good, mut renamed) = (HashMap::new(), Vec::new(), Vec::new());
    for found in client.find_all(FIND, &ids, &[]).await? {
        let (id, user, used) = (row::number(&found, 0)?, row::user(&found, 2)?, row::number(&found, 3)?);
        if used > stale_at(limits.token_days) {
            let expires = row::optional_number(&found, 5)?.map(Millis);
            users.insert(row::bytes(&found, 1)?.to_vec(), (user, expires));
            good.push(sql_token(TokenId(id)));
            let device = devices
                .get(&TokenId(id))
                .filter(|device| device.as_bytes() != row::bytes(&found, 4).unwrap_or(b""));
            renamed.extend(
                device.map(|device| [sql_token(TokenId(id)), row::sql_text(device)]).into_iter().flatten(),
            );
        }
    }
    for part in good.chunks(ROWS) {
        let mut values = vec![row::sql_number(now)];
        values.extend_from_slice(part);
        // Padded with the last one.
        values.resize(1 + part.len().next_power_of_two(), part[part.len() - 1].clone());
        client.execute(USED, part.len().next_power_of_two(), values).await?;
    }
    client.find_all(RENAME, &renamed, &[]).await?;
    let ids: Vec<Value> = users.values().map(|(user, _)| user.get().into()).collect();
    let mut names = HashMap::new();
    for found in client.find_all(NAMES, &ids, &[]).await? {
        names.insert(row::user(&found, 0)?, row::text(&found, 1)?.to_owned());
    }
    let answer = |print: &Print| {
        let (user, expires) = *users.get(&print.hash[..]).ok_or(Code::Refused)?;
        let name = names.get(&user).cloned().ok_or(Code::Refused)?;
        if has_expired(expires) {
            return Err(Code::Expired);
        }
        Ok(StoreReply::Resumed(Resumed { user, name, token: print.id, expires }))
    };
    Ok(prints.iter().map(answer).collect())
}

fn named<'a>((print, (_, device)): (&Print, &Resuming<'a>)) -> Option<(TokenId, &'a str)> {
    Some((print.id, (*device)?))
}

/// Whether what a login was proven by is the user's still.
pub async fn holds(client: &mut Client, user: UserId, proof: Proof) -> DbResult<bool> {
    let (sql, values) = match proof {
        Proof::Password(_) => {
            ("SELECT password FROM user WHERE id = ? AND NOT disabled", vec![user.get().into()])
        }
        Proof::Application(_) => (APPLICATIONS_USER, vec![user.get().into()]),
        Proof::Token(token) => {
            ("SELECT 1 FROM token WHERE id = ? AND userid = ?", vec![sql_token(token), user.get().into()])
        }
    };
    is_proven(client.find_one(sql, values).await?, proof)
}

/// Which of these are good.
pub async fn check(client: &mut Client, user: UserId, proofs: &[Proof]) -> Answered {
    let mut good = Vec::new();
    for &proof in proofs {
        if holds(client, user, proof).await? {
            good.push(proof);
        }
    }
    Ok(Ok(StoreReply::Proven(good)))
}

/// Likewise, and it stays so until the transaction ends: whoever replaces the password at another
/// server comes before it, or after it and then revokes the token that is issued meanwhile.
pub async fn holds_locked(client: &mut Client, user: UserId, proof: Proof) -> DbResult<bool> {
    let (sql, values) = match proof {
        Proof::Password(_) => (
            "SELECT password FROM user WHERE id = ? AND NOT disabled LOCK IN SHARE MODE",
            vec![user.get().into()],
        ),
        Proof::Application(_) => (APPLICATIONS_USER_LOCKED, vec![user.get().into()]),
        Proof::Token(token) => (
            "SELECT 1 FROM token WHERE id = ? AND userid = ? LOCK IN SHARE MODE",
            vec![sql_token(token), user.get().into()],
        ),
    };
    is_proven(client.find_one(sql, values).await?, proof)
}

fn is_proven(found: Option<Row>, proof: Proof) -> DbResult<bool> {
    match (found, proof) {
        (None, _) => Ok(false),
        (Some(found), Proof::Password(print)) => Ok(password_print(row::text(&found, 0)?) == print),
        (Some(_), Proof::Token(_) | Proof::Application(_)) => Ok(true),
    }
}

/// Makes a token for a device, and room for it: what the device calls itself, and until when the token is good, if that
/// is known.
pub async fn issue(
    client: &mut Client,
    limits: &Limits,
    uses: &mut Uses,
    user: UserId,
    (device, expires): (Option<&str>, Option<Millis>),
) -> DbResult<Token> {
    let (token, print) = make();
    let others = limits.tokens.saturating_sub(1);
    let sql = "SELECT id FROM token WHERE userid = ? ORDER BY used DESC LIMIT 1000 OFFSET ?";
    for found in client.find(sql, vec![user.get().into(), row::sql_number(others as u64)]).await? {
        let id = TokenId(row::number(&found, 0)?);
        client.write("DELETE FROM token WHERE id = ?", vec![sql_token(id)]).await?;
    }
    let sql =
        "INSERT INTO token (id, userid, hash, used, created, device, expires) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let (hash, now) = (Value::Bytes(print.hash.to_vec()), row::sql_number(uses.next()));
    let device = device.map_or(Value::NULL, row::sql_text);
    let expires = expires.map_or(Value::NULL, |expires| row::sql_number(expires.0));
    let values = vec![sql_token(print.id), user.get().into(), hash, now.clone(), now, device, expires];
    client.write(sql, values).await?;
    Ok(token)
}

/// Takes away the token that was issued under this name; which one that was. Whoever issues one for this user at another
/// server does it before, or after this is done.
pub async fn take_asked(client: &mut Client, user: UserId, cid: &str) -> DbResult<Option<TokenId>> {
    client.find("SELECT id FROM user WHERE id = ? FOR UPDATE", vec![user.get().into()]).await?;
    let sql = "SELECT id FROM token WHERE userid = ? AND asked = ? FOR UPDATE";
    let found = client.find(sql, vec![user.get().into(), row::sql_text(cid)]).await?;
    let mut taken = None;
    for found in &found {
        let id = TokenId(row::number(found, 0)?);
        delete(client, user, id).await?;
        taken = Some(id);
    }
    Ok(taken)
}

/// Keeps under which name a token was issued.
pub async fn note_asked(client: &mut Client, token: TokenId, cid: &str) -> DbResult<()> {
    client
        .write("UPDATE token SET asked = ? WHERE id = ?", vec![row::sql_text(cid), sql_token(token)])
        .await?;
    Ok(())
}

pub async fn revoke(client: &mut Client, user: UserId, token: TokenId) -> Answered {
    delete(client, user, token).await?;
    Ok(Ok(StoreReply::Done))
}

/// Makes the token of a device worthless.
pub async fn drop_device(client: &mut Client, user: UserId, token: TokenId) -> Answered {
    let gone = delete(client, user, token).await?;
    Ok(if gone == 0 { Err(Code::NoSuchUser) } else { Ok(StoreReply::Done) })
}

/// Makes all tokens of a user worthless.
pub async fn revoke_all(client: &mut Client, user: UserId) -> DbResult<()> {
    client.write("DELETE FROM token WHERE userid = ?", vec![user.get().into()]).await?;
    Ok(())
}

async fn delete(client: &mut Client, user: UserId, token: TokenId) -> DbResult<u64> {
    let sql = "DELETE FROM token WHERE id = ? AND userid = ?";
    client.write(sql, vec![sql_token(token), user.get().into()]).await
}

/// A user's tokens that are good, the one used last first.
pub async fn devices(client: &mut Client, limits: &Limits, user: UserId) -> Answered {
    let sql = "SELECT id, device, created, used, push_token, push_kind FROM token
        WHERE userid = ? AND used > ? ORDER BY used DESC";
    let stale = row::sql_number(stale_at(limits.token_days));
    let device = |found: &Row| {
        Ok(Device {
            token: TokenId(row::number(found, 0)?),
            name: row::text(found, 1)?.to_owned(),
            created: Millis(row::number(found, 2)? / 1_000),
            used: Millis(row::number(found, 3)? / 1_000),
            push: push_token(found)?,
        })
    };
    let found = client.find(sql, vec![user.get().into(), stale]).await?;
    Ok(Ok(StoreReply::Devices(found.iter().map(device).collect::<DbResult<_>>()?)))
}

fn push_token(found: &Row) -> DbResult<Option<PushToken>> {
    let (token, kind) = (row::text(found, 4)?, row::text(found, 5)?);
    // One that is not there is no text, and a token has one.
    Ok((!token.is_empty()).then(|| PushToken { token: token.into(), kind: kind.into() }))
}

/// Keeps by what a device is reached.
pub async fn set_push_token(
    client: &mut Client,
    user: UserId,
    device: TokenId,
    push: Option<&PushToken>,
) -> Answered {
    // What it is already changes no row: the row is looked for first, and locked.
    let sql = "SELECT 1 FROM token WHERE id = ? AND userid = ? FOR UPDATE";
    let of = || vec![sql_token(device), user.get().into()];
    if client.find_one(sql, of()).await?.is_none() {
        return Ok(Err(Code::NoSuchUser));
    }
    let text = |text: Option<&str>| text.map_or(Value::NULL, row::sql_text);
    let mut values = vec![text(push.map(|push| &*push.token)), text(push.map(|push| &*push.kind))];
    values.extend(of());
    let sql = "UPDATE token SET push_token = ?, push_kind = ? WHERE id = ? AND userid = ?";
    client.write(sql, values).await?;
    Ok(Ok(StoreReply::Done))
}

pub async fn replace_password(
    client: &mut Client,
    limits: &Limits,
    uses: &mut Uses,
    user: UserId,
    old: &str,
    new: &str,
) -> Answered {
    let sql = "UPDATE user SET password = ? WHERE id = ? AND password = ?";
    let replaced = client.write(sql, vec![row::sql_text(new), user.get().into(), row::sql_text(old)]).await?;
    if replaced == 0 {
        // Somebody else replaced it while this one was compared.
        return Ok(Err(Code::Refused));
    }
    // Of several tokens it is not known which one the new one is in the place of.
    let sql = "SELECT device FROM token WHERE userid = ? LIMIT 2";
    let tokens = client.find(sql, vec![user.get().into()]).await?;
    let device = match tokens.as_slice() {
        [only] => Some(row::text(only, 0)?).filter(|name| !name.is_empty()),
        _ => None,
    };
    revoke_all(client, user).await?;
    Ok(Ok(StoreReply::Issued(issue(client, limits, uses, user, (device, None)).await?)))
}

/// A token's id as SQL has it; none is greater than the greatest.
fn sql_token(token: TokenId) -> Value {
    i64::try_from(token.0).map_or(Value::Int(-1), Value::Int)
}
