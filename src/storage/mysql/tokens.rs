//! Tokens, and the password that they hang on.

use super::client::{Client, Many, ROWS};
use super::fault::DbResult;
use super::{Answered, row};
use crate::token::{Print, Uses, make, password_print, print_of, stale_at};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Proof, Secret, Token, TokenId};
use chatd_chat::port::store::{Resumed, StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};
use std::collections::HashMap;

const FIND: Many = Many::new("SELECT id, hash, userid, used FROM token WHERE id IN (", "?", ")");
const USED: Many = Many::new("UPDATE token SET used = ? WHERE id IN (", "?", ")");
const NAMES: Many = Many::new("SELECT id, name FROM user WHERE id IN (", "?", ")");

/// Finds out whose tokens these are, all at once: after a restart they come in thousands.
pub async fn resume(
    client: &mut Client,
    limits: &Limits,
    uses: &mut Uses,
    secrets: &[&Secret],
) -> DbResult<Vec<StoreResult>> {
    let (prints, now): (Vec<Print>, u64) =
        (secrets.iter().map(|secret| print_of(secret)).collect(), uses.next());
    let ids: Vec<Value> = prints.iter().map(|print| sql_token(print.id)).collect();
    let (mut users, mut good) = (HashMap::new(), Vec::new());
    for found in client.find_all(FIND, &ids, &[]).await? {
        let (id, user, used) = (row::number(&found, 0)?, row::user(&found, 2)?, row::number(&found, 3)?);
        if used > stale_at(limits.token_days) {
            users.insert(row::bytes(&found, 1)?.to_vec(), user);
            good.push(sql_token(TokenId(id)));
        }
    }
    for part in good.chunks(ROWS) {
        let mut values = vec![row::sql_number(now)];
        values.extend_from_slice(part);
        // Padded with the last one.
        values.resize(1 + part.len().next_power_of_two(), part[part.len() - 1].clone());
        client.execute(USED, part.len().next_power_of_two(), values).await?;
    }
    let ids: Vec<Value> = users.values().map(|user| user.get().into()).collect();
    let mut names = HashMap::new();
    for found in client.find_all(NAMES, &ids, &[]).await? {
        names.insert(row::user(&found, 0)?, row::text(&found, 1)?.to_owned());
    }
    let answer = |print: &Print| {
        let user = *users.get(&print.hash[..]).ok_or(Code::Refused)?;
        let name = names.get(&user).cloned().ok_or(Code::Refused)?;
        Ok(StoreReply::Resumed(Resumed { user, name, token: print.id }))
    };
    Ok(prints.iter().map(answer).collect())
}

/// Whether what a login was proven by is the user's still.
pub async fn holds(client: &mut Client, user: UserId, proof: Proof) -> DbResult<bool> {
    let (sql, values) = match proof {
        Proof::Password(_) => ("SELECT password FROM user WHERE id = ?", vec![user.get().into()]),
        Proof::Token(token) => {
            ("SELECT 1 FROM token WHERE id = ? AND userid = ?", vec![sql_token(token), user.get().into()])
        }
    };
    is_proven(client.find_one(sql, values).await?, proof)
}

/// Likewise, and it stays so until the transaction ends: whoever replaces the password at another
/// server comes before it, or after it and then revokes the token that is issued meanwhile.
pub async fn holds_locked(client: &mut Client, user: UserId, proof: Proof) -> DbResult<bool> {
    let (sql, values) = match proof {
        Proof::Password(_) => {
            ("SELECT password FROM user WHERE id = ? LOCK IN SHARE MODE", vec![user.get().into()])
        }
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
        (Some(_), Proof::Token(_)) => Ok(true),
    }
}

/// Makes a token, and room for it.
pub async fn issue(client: &mut Client, limits: &Limits, uses: &mut Uses, user: UserId) -> DbResult<Token> {
    let (token, print) = make();
    let others = limits.tokens.saturating_sub(1);
    let sql = "SELECT id FROM token WHERE userid = ? ORDER BY used DESC LIMIT 1000 OFFSET ?";
    for found in client.find(sql, vec![user.get().into(), row::sql_number(others as u64)]).await? {
        let id = TokenId(row::number(&found, 0)?);
        client.write("DELETE FROM token WHERE id = ?", vec![sql_token(id)]).await?;
    }
    let sql = "INSERT INTO token (id, userid, hash, used) VALUES (?, ?, ?, ?)";
    let hash = Value::Bytes(print.hash.to_vec());
    client
        .write(sql, vec![sql_token(print.id), user.get().into(), hash, row::sql_number(uses.next())])
        .await?;
    Ok(token)
}

pub async fn revoke(client: &mut Client, user: UserId, token: TokenId) -> Answered {
    let sql = "DELETE FROM token WHERE id = ? AND userid = ?";
    client.write(sql, vec![sql_token(token), user.get().into()]).await?;
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
    client.write("DELETE FROM token WHERE userid = ?", vec![user.get().into()]).await?;
    Ok(Ok(StoreReply::Issued(issue(client, limits, uses, user).await?)))
}

/// A token's id as SQL has it; none is greater than the greatest.
fn sql_token(token: TokenId) -> Value {
    i64::try_from(token.0).map_or(Value::Int(-1), Value::Int)
}
