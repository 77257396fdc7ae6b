//! Answers of the server's API that are no frame of the protocol: objects with errno 0, keys sorted.

use super::text::{number, string};
use crate::model::act::AccountRecord;
use crate::model::ids::{GroupId, Millis};
use crate::model::token::{Secret, Token};

/// Done, and there is nothing to add.
pub fn done() -> Vec<u8> {
    b"{\"errno\":0}".to_vec()
}

/// Announced, and when.
pub fn announced(ts: Millis) -> Vec<u8> {
    let mut out = b"{\"errno\":0,\"ts\":".to_vec();
    number(&mut out, ts.0);
    out.push(b'}');
    out
}

/// An account, as it is now.
pub fn account(account: &AccountRecord) -> Vec<u8> {
    let mut out = b"{\"disabled\":".to_vec();
    out.extend_from_slice(if account.disabled { b"true" } else { b"false" });
    out.extend_from_slice(b",\"errno\":0");
    if let Some(external) = &account.external {
        out.extend_from_slice(b",\"external\":");
        string(&mut out, external);
    }
    out.extend_from_slice(b",\"id\":");
    number(&mut out, account.user.get().into());
    out.extend_from_slice(b",\"name\":");
    string(&mut out, &account.name);
    out.push(b'}');
    out
}

/// Groups, by id.
pub fn groups(groups: &[GroupId]) -> Vec<u8> {
    let mut out = b"{\"errno\":0,\"groups\":[".to_vec();
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        number(&mut out, group.get().into());
    }
    out.extend_from_slice(b"]}");
    out
}

/// A token: its name, which is the device's, and its text.
pub fn token(token: &Token) -> Vec<u8> {
    let mut out = b"{\"deviceid\":\"".to_vec();
    number(&mut out, token.id.0);
    out.extend_from_slice(b"\",\"errno\":0,\"token\":");
    let Secret(secret) = &token.secret;
    string(&mut out, secret);
    out.push(b'}');
    out
}
