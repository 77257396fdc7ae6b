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
    Held(String),
    /// A row with this key is there already. The statement changed nothing.
    Exists(String),
    /// The server cannot: its disk is full, it only reads, this user lost its rights.
    Down(String),
    /// The statement cannot be carried out, whoever asks. Always a bug.
    Odd(String),
}

impl Fault {
    /// In the server's or the system's own words.
    pub fn why(self) -> String {
        match self {
            Fault::Lost(why)
            | Fault::Contended(why)
            | Fault::Held(why)
            | Fault::Exists(why)
            | Fault::Down(why)
            | Fault::Odd(why) => why,
        }
    }
}

/// What came of a statement.
pub type Did<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => of_server(&error),
            Error::Io(error) => Fault::Lost(error.to_string()),
            Error::Driver(
                error @ (DriverError::FromValue { .. }
                | DriverError::FromRow { .. }
                | DriverError::StmtParamsMismatch { .. }
                | DriverError::StmtParamsNumberExceedsLimit { .. }
                | DriverError::MixedParams),
            ) => Fault::Odd(error.to_string()),
            other => Fault::Lost(other.to_string()),
        }
    }
}

fn of_server(error: &ServerError) -> Fault {
    let says = format!("{} (error {})", error.message, error.code);
    match error.code {
        // Duplicate entry, in two dialects.
        1062 | 1586 => Fault::Exists(says),
        // Lock wait timeout, and what MySQL says where it was told not to wait.
        1205 | 3572 => Fault::Held(says),
        // Deadlock, row or table changed under a snapshot.
        1213 | 1020 | 1412 => Fault::Contended(says),
        // Going down, too many connections, cut off, killed, timed out, statement forgotten.
        1040
        | 1053
        | 1077..=1080
        | 1152
        | 1158..=1161
        | 1203
        | 1243
        | 1317
        | 1927
        | 1969
        | 3024
        | 3169
        | 4031 => Fault::Lost(says),
        // No such table or right: somebody changed the database under the server.
        1044 | 1045 | 1142 | 1143 | 1146 | 1227 => Fault::Down(says),
        // Wrong data, with a general state: too long, no default, a check that does not hold.
        1153 | 1364 | 1366 | 3819 | 4025 => Fault::Odd(says),
        _ if ["22", "23", "42"].iter().any(|class| error.state.starts_with(class)) => Fault::Odd(says),
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
        assert!(matches!(of(1205, "HY000"), Fault::Held(_)));
        assert!(matches!(of(1927, "70100"), Fault::Lost(_)));
        assert!(matches!(of(1114, "HY000"), Fault::Down(why) if why == "m (error 1114)"), "table is full");
        assert!(matches!(of(1290, "HY000"), Fault::Down(_)), "read only");
        assert!(matches!(of(1142, "42000"), Fault::Down(_)), "right revoked");
        assert!(matches!(of(1064, "42000"), Fault::Odd(_)), "syntax");
        assert!(matches!(of(1406, "22001"), Fault::Odd(_)), "too long");
    }
}
