//! Users whom another application vouches for.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::{Answered, accounts, row};
use crate::admission::{Admission, names};
use crate::names::fold;
use crate::outbox::pending::Pending;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::TokenId;
use chatd_chat::wire::code::Code;

const FIND: &str = "SELECT id, name, disabled FROM user WHERE external = ?";

/// Finds the user, or makes it; a session that goes on has its token go on, too.
pub async fn admit(
    client: &mut Client,
    limits: &Limits,
    pending: &mut Pending,
    admission: &Admission,
) -> Answered {
    let found = match find(client, &admission.external).await? {
        // Two servers may be asked in the same instant: whoever comes second finds what the first has made.
        None if admission.renews.is_none() => {
            make(client, limits, pending, (&admission.external, admission.name.as_deref())).await?
        }
        found => found.ok_or(Code::NotYours),
    };
    let (user, name) = match (found, admission.renews) {
        (Err(code), _) => return Ok(Err(code)),
        (Ok((_, _, true)), _) => return Ok(Err(Code::Refused)),
        (Ok((user, _, false)), Some((renews, _))) if user != renews => return Ok(Err(Code::NotYours)),
        (Ok((user, name, false)), _) => (user, name),
    };
    if let (Some((_, Some(TokenId(token)))), Some(expires)) = (admission.renews, admission.expires) {
        let sql = "UPDATE token SET expires = ? WHERE id = ? AND userid = ?";
        let expires = row::sql_number(expires.0);
        client.write(sql, vec![expires, row::sql_number(token), user.get().into()]).await?;
    }
    Ok(Ok(admission.let_in(user, name)))
}

/// Who it is, what the user is called here, and whether it is shut out.
pub type Found = (UserId, String, bool);

async fn find(client: &mut Client, external: &str) -> DbResult<Option<Found>> {
    let found = client.find_one(FIND, vec![row::sql_text(external)]).await?;
    let read = |found: mysql_async::Row| {
        Ok((row::user(&found, 0)?, row::text(&found, 1)?.to_owned(), row::number(&found, 2)? != 0))
    };
    found.map(read).transpose()
}

/// Makes a user without a password, under the first of its names that is nobody's.
pub async fn make(
    client: &mut Client,
    limits: &Limits,
    pending: &mut Pending,
    (external, name): (&str, Option<&str>),
) -> DbResult<Result<Found, Code>> {
    for name in names(external, name, limits) {
        let folded = fold(&name);
        if accounts::is_taken(client, &name, &folded).await? {
            continue;
        }
        let sql = "INSERT INTO user (name, folded, password, external) VALUES (?, ?, '', ?)";
        let values = vec![row::sql_text(&name), row::sql_text(&folded), row::sql_text(external)];
        match client.write(sql, values).await {
            Ok(_) => {
                let user = accounts::given(client, UserId::new)?;
                pending.user(user, &name, Some(external));
                return Ok(Ok((user, name, false)));
            }
            Err(Fault::Exists(_)) => match find(client, external).await? {
                Some(found) => return Ok(Ok(found)),
                None => continue,
            },
            Err(Fault::UsedUp(_)) => return Ok(Err(Code::TooMany)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Err(Code::TooMany))
}
