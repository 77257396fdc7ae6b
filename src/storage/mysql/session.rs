//! How every connection is set up: what the SQL of this store relies on is set, and read back.
//!
//! A server's configuration, an account, `init_connect` or a proxy may say otherwise: names that are
//! encoded twice, backlogs that are cut, commits that begin another transaction. What cannot be set
//! is a reason not to use the server.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::refusal::Refusal;
use super::row;
use super::schema;
use super::url::MySqlUrl;
use crate::OpenError;
use mysql_async::Row;

/// The first thing that a connection says: from then on all texts are UTF-8 in both directions,
/// also those of the settings that are read next.
pub const FIRST: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_bin";

/// What both dialects call the same. Read committed: nothing here relies on rows staying as they were
/// read unless it locks them, and gaps are not locked. A session that says nothing for long is of a
/// server that hangs: it must not keep its locks.
const BOTH: [(&str, &str); 18] = [
    ("character_set_client", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_results", "utf8mb4"),
    ("collation_connection", "utf8mb4_bin"),
    ("sql_mode", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"),
    ("autocommit", "1"),
    ("completion_type", "NO_CHAIN"),
    ("foreign_key_checks", "1"),
    ("unique_checks", "1"),
    ("sql_log_bin", "1"),
    ("sql_select_limit", "18446744073709551615"),
    // Before the next one, which it would reset.
    ("max_join_size", "18446744073709551615"),
    ("sql_big_selects", "1"),
    ("sql_safe_updates", "0"),
    ("time_zone", "+00:00"),
    ("innodb_lock_wait_timeout", "1"),
    ("lock_wait_timeout", "2"),
    ("wait_timeout", "8"),
];
const MARIADB: [(&str, &str); 4] = [
    ("tx_isolation", "READ-COMMITTED"),
    ("tx_read_only", "0"),
    ("max_statement_time", "0"),
    ("check_constraint_checks", "1"),
];
const MYSQL: [(&str, &str); 3] = [
    ("transaction_isolation", "READ-COMMITTED"),
    ("transaction_read_only", "0"),
    ("max_execution_time", "0"),
];

/// Sets what is not as it has to be.
///
/// # Errors
/// If that cannot be set, or the server is lost.
pub async fn apply_settings(client: &mut Client, url: &MySqlUrl) -> Result<(), OpenError> {
    let found = client.read("SELECT VERSION()").await.map_err(|fault| schema::of(fault, url))?;
    let version = found.first().map_or(Ok(""), |found| row::text(found, 0));
    let is_mariadb = version.map_err(|fault| schema::of(fault, url))?.contains("MariaDB");
    client.returns_rows = is_mariadb;
    let settings: Vec<(&str, &str)> = if is_mariadb {
        BOTH.iter().chain(&MARIADB).copied().collect()
    } else {
        BOTH.iter().chain(&MYSQL).copied().collect()
    };
    let other = others(client, &settings).await.map_err(|fault| schema::of(fault, url))?;
    if other.is_empty() {
        return Ok(());
    }
    let refuse = |(name, wanted, found): &(&str, &str, String), why: &str| {
        let what = format!("{name} is {found} for a connection and cannot be set to {wanted}{why}");
        Err(Refusal::Setting { server: url.server().to_owned(), what }.into())
    };
    let set: Vec<String> =
        other.iter().map(|(name, wanted, _)| format!("SESSION {name} = {}", literal(wanted))).collect();
    let together = client.run(&format!("SET {}", set.join(", "))).await;
    // That sets none if one of them fails: then one by one, to say which.
    for (setting, set) in other.iter().zip(&set).filter(|_| together.is_err()) {
        match client.run(&format!("SET {set}")).await {
            Ok(()) => {}
            Err(Fault::Lost(why)) => return Err(schema::of(Fault::Lost(why), url)),
            Err(fault) => return refuse(setting, &format!(" ({})", fault.why())),
        }
    }
    let still = others(client, &settings).await.map_err(|fault| schema::of(fault, url))?;
    still.first().map_or(Ok(()), |setting| refuse(setting, ""))
}

/// The settings that are not as wanted, and what they are.
async fn others<'s>(
    client: &mut Client,
    settings: &[(&'s str, &'s str)],
) -> DbResult<Vec<(&'s str, &'s str, String)>> {
    let names: Vec<String> = settings.iter().map(|(name, _)| format!("@@session.{name}")).collect();
    let found = client.read(&format!("SELECT {}", names.join(", "))).await?;
    let found: &Row = found.first().ok_or_else(|| Fault::Unexpected("no settings were told".to_owned()))?;
    let mut others = Vec::new();
    for (column, (name, wanted)) in settings.iter().enumerate() {
        let is = row::text(found, column)?;
        if !is_same(is, wanted) {
            others.push((*name, *wanted, if is.is_empty() { "empty".to_owned() } else { is.to_owned() }));
        }
    }
    Ok(others)
}

/// Numbers are compared as such, and lists whatever their order.
fn is_same(is: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split(',').map(str::to_ascii_uppercase).collect();
        parts.sort_unstable();
        parts
    };
    match (is.parse::<u64>(), wanted.parse::<u64>()) {
        (Ok(is), Ok(wanted)) => is == wanted,
        _ if number(wanted).is_some() => number(is) == number(wanted),
        _ => parts(is) == parts(wanted),
    }
}

fn literal(wanted: &str) -> String {
    if wanted.bytes().all(|byte| byte.is_ascii_digit()) { wanted.to_owned() } else { format!("'{wanted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_compared_by_what_they_mean() {
        assert!(is_same("0.000000", "0") && is_same("utf8mb4", "UTF8MB4"));
        assert!(is_same(
            "NO_ENGINE_SUBSTITUTION,STRICT_ALL_TABLES",
            "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
        ));
        assert!(!is_same("ANSI_QUOTES,STRICT_ALL_TABLES", "STRICT_ALL_TABLES"));
        assert!(!is_same("18446744073709551614", "18446744073709551615"), "as floats they are one number");
        assert!(!is_same("", "utf8mb4") && !is_same("100", "18446744073709551615"));
        assert_eq!((literal("12"), literal("+00:00")), ("12".to_owned(), "'+00:00'".to_owned()));
    }
}
