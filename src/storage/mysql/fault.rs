//! Why the database did not do what it was told, by what is to be done about it.
//!
//! The numbers are the server's own error codes, which MySQL and MariaDB share up to 1900.

use mysql_async::{DriverError, Error, ServerError};

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The connection is gone or of no use any more. What was last asked of it may have been done.
    Lost(String),
    /// Another transaction was in the way: the same again may work at once.
    Contended(String),
    /// Somebody else has locked a row, and has not let go of it while it was waited for.
    Locked(String),
    /// A row with this key is there already. The statement changed nothing.
    Exists(String),
    /// The server prepares no more statements: as text it would go.
    Full(String),
    /// There is no id left to give away: it can never succeed again.
    UsedUp(String),
    /// The server cannot: its disk is full, it only reads, this user lost its rights.
    Down(String),
    /// The statement cannot be carried out, whoever asks. Always a bug.
    Unexpected(String),
}

impl Fault {
    /// In the server's or the system's own words.
    pub fn why(self) -> String {
        match self {
            Fault::Lost(why)
            | Fault::Contended(why)
            | Fault::Locked(why)
            | Fault::Exists(why)
            | Fault::Full(why)
            | Fault::UsedUp(why)
            | Fault::Down(why)
            | Fault::Unexpected(why) => why,
        }
    }
}

/// What came of a statement.
pub type DbResult<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => of_server(&error),
            Error::Io(error) => Fault::Lost(said(&error.to_string())),
            Error::Driver(
                error @ (DriverError::FromValue { .. }
                | DriverError::FromRow { .. }
                | DriverError::StmtParamsMismatch { .. }
                | DriverError::StmtParamsNumberExceedsLimit { .. }
                | DriverError::MixedParams),
            ) => Fault::Unexpected(error.to_string()),
            other => Fault::Lost(other.to_string()),
        }
    }
}

/// What the TLS library says ends with where to read more about it.
fn said(error: &str) -> String {
    error.split_once(": https://").map_or(error, |(said, _)| said).to_owned()
}

fn of_server(error: &ServerError) -> Fault {
    let says = format!("{} (error {})", error.message, error.code);
    match error.code {
        // No next number, as the table's engine says it, or the server; MySQL gives the last one again.
        167 | 1467 => Fault::UsedUp(says),
        1062 | 1586 if says.contains("'2147483647' for key") && says.contains("PRIMARY") => {
            Fault::UsedUp(says)
        }
        // Duplicate entry, in two dialects.
        1062 | 1586 => Fault::Exists(says),
        // Lock wait timeout, and what MySQL says where it was told not to wait.
        1205 | 3572 => Fault::Locked(says),
        // Deadlock, row or table changed under a snapshot.
        1213 | 1020 | 1412 => Fault::Contended(says),
        1461 => Fault::Full(says),
        // Going down, too many connections, cut off, killed, timed out, statement forgotten or to be
        // prepared again.
        1040
        | 1047
        | 1053
        | 1077..=1080
        | 1152
        | 1158..=1161
        | 1203
        | 1243
        | 1317
        | 1615
        | 1927
        | 1969
        | 3024
        | 3169
        | 4031 => Fault::Lost(says),
        // It only reads, or is offline: after a switchover this connection leads to the wrong server.
        1290 | 1792 | 1836 | 3032 => Fault::Lost(says),
        // Wrong data, with a general state: too long, no default, a check that does not hold, bytes that
        // are no text. A syntax that it does not know.
        1064 | 1153 | 1300 | 1364 | 1366 | 1267 | 1270 | 1271 | 3819 | 3988 | 4025 => Fault::Unexpected(says),
        // A trigger that somebody made refuses it (class 45).
        _ if ["22", "23", "45"].iter().any(|class| error.state.starts_with(class)) => Fault::Unexpected(says),
        // A table, a column or a right that is gone, a share of this user that is used up (1226): somebody
        // changed the database under the server.
        _ => Fault::Down(says),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u16, state: &str) -> Fault {
        Error::Server(ServerError { code, message: "m".to_owned(), state: state.to_owned() }).into()
    }

    #[test]
    fn codes_say_what_is_to_be_done() {
        assert!(matches!(of(1062, "23000"), Fault::Exists(_)));
        assert!(matches!(of(1213, "40001"), Fault::Contended(_)));
        assert!(matches!(of(1205, "HY000"), Fault::Locked(_)));
        assert!(
            matches!(of(167, "22003"), Fault::UsedUp(_)) && matches!(of(1467, "HY000"), Fault::UsedUp(_))
        );
        let twice = |key: &str| {
            let message = format!("Duplicate entry '2147483647' for key '{key}'");
            Error::Server(ServerError { code: 1062, message, state: "23000".to_owned() }).into()
        };
        assert!(matches!(twice("allgroup.PRIMARY"), Fault::UsedUp(_)));
        assert!(matches!(twice("allgroup.allgroup_name"), Fault::Exists(_)));
        assert!(matches!(of(1927, "70100"), Fault::Lost(_)));
        assert!(matches!(of(1114, "HY000"), Fault::Down(why) if why == "m (error 1114)"), "table is full");
        for (code, state) in
            [(1290, "HY000"), (1792, "25006"), (1836, "HY000"), (3032, "HY000"), (1047, "08S01")]
        {
            assert!(matches!(of(code, state), Fault::Lost(_)), "{code}: another server can");
        }
        for (code, state) in [(1142, "42000"), (1226, "42000"), (1054, "42S22"), (1146, "42S02")] {
            assert!(matches!(of(code, state), Fault::Down(_)), "{code}: no order is to blame");
        }
        assert!(matches!(of(1461, "42000"), Fault::Full(_)), "too many statements");
        assert!(matches!(of(1300, "HY000"), Fault::Unexpected(_)), "no text");
        assert!(matches!(of(1064, "42000"), Fault::Unexpected(_)), "syntax");
        assert!(matches!(of(1644, "45000"), Fault::Unexpected(_)), "refused by a trigger");
        assert!(matches!(of(1406, "22001"), Fault::Unexpected(_)), "too long");
    }
}
