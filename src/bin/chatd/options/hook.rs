//! Options of logins whose passwords another application knows.

use super::jwt::web_address;
use clap::Args;
use std::path::PathBuf;

/// Logins with names and passwords that another application knows.
#[derive(Clone, Debug, Default, Args)]
pub struct Hook {
    /// Asks an application, over HTTP, whom a name and a password let in, in the place of this server's own passwords. It
    /// has a second to answer; without an answer nobody is let in. Nobody registers here then: it takes --registration
    /// closed.
    #[arg(long, value_name = "URL", env = "CHATD_AUTH_URL", requires = "auth_secret_file",
          value_parser = web_address)]
    pub auth_url: Option<String>,

    /// The secret that these questions and answers are signed with: a file of 32 bytes at least.
    #[arg(long, value_name = "FILE", env = "CHATD_AUTH_SECRET_FILE", requires = "auth_url")]
    pub auth_secret_file: Option<PathBuf>,
}
