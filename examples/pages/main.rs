//! Writes what packages have besides programs: manual pages, and what shells complete. Each is made of the options
//! themselves, so none can say anything else than `--help`.
//!
//! ```console
//! $ cargo run --example pages -- DIRECTORY
//! ```

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[allow(dead_code)]
#[path = "../../src/bin/chat/options.rs"]
mod chat_options;
#[allow(dead_code)]
#[path = "../../src/bin/chatctl/options.rs"]
mod chatctl_options;
#[allow(dead_code)]
#[path = "../../src/bin/chatd/options.rs"]
mod chatd_options;
/// What the options of `chat` tell about how it ends.
#[allow(dead_code)]
#[path = "../../src/bin/chat/exit.rs"]
mod exit;
#[allow(dead_code)]
#[path = "../../src/bin/chat-ring/options.rs"]
mod ring_options;
/// What the options of `chatd` need of the program besides them.
mod admin {
    use std::net::SocketAddr;

    pub const DEFAULT: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6060);
}

fn main() -> io::Result<()> {
    let directory: PathBuf =
        env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| io::Error::other("where to?"))?;
    fs::create_dir_all(&directory)?;
    write(chatd_options::Options::command(), "chatd", &directory)?;
    write(chat_options::Options::command(), "chat", &directory)?;
    write(chatctl_options::Options::command(), "chatctl", &directory)?;
    write(ring_options::Options::command(), "chat-ring", &directory)
}

fn write(command: Command, name: &'static str, directory: &Path) -> io::Result<()> {
    let mut command = command.name(name).bin_name(name);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, name, directory)?;
    }
    clap_mangen::generate_to(command, directory)
}
