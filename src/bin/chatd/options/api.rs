//! Options of the server's API.

use clap::Args;
use std::path::PathBuf;

/// The API, by which an application's own servers make users, send messages and more.
#[derive(Clone, Debug, Default, Args)]
pub struct ApiAt {
    /// Gives the admin address an API for whoever has one of the tokens in this file: one a line, with a name before it
    /// for the log or without.
    #[arg(long, value_name = "FILE", env = "CHATD_API_TOKEN_FILE")]
    pub api_token_file: Option<PathBuf>,

    /// Gives the same API to whoever may open this Unix socket, which is made for this user alone.
    #[arg(long, value_name = "PATH", env = "CHATD_API_SOCKET")]
    pub api_socket: Option<PathBuf>,
}
