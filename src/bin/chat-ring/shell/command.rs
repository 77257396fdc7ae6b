//! Lines to commands: the original's, whose words are taken in any case.

use std::fmt;

/// What a line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// A server, with how many virtual nodes.
    Add(&'a str, u16, Option<u32>),
    /// A server less.
    Del(&'a str, u16),
    /// Which server a client belongs to.
    Get(&'a str, u16),
    /// The virtual nodes of a server.
    VirtualNodes(&'a str, u16),
    /// All points of the ring.
    Points,
    /// How many servers there are.
    Servers,
    /// How many points there are.
    AllNodes,
    /// How the ring and the clients are distributed.
    Distribution,
    /// What there is.
    Help,
    /// To leave.
    Quit,
}

/// Why a line is no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadCommand {
    /// No such command.
    Unknown(String),
    /// How it is written.
    Usage(&'static str),
    /// What stands for a port is none.
    Port(String),
    /// What stands for the number of virtual nodes is none.
    Number(String),
}

impl fmt::Display for BadCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadCommand::Unknown(word) => write!(f, "no such command: {word} (h shows them)"),
            BadCommand::Usage(usage) => write!(f, "it is written {usage}"),
            BadCommand::Port(text) => write!(f, "{text} is no port: those go from 1 to 65535"),
            BadCommand::Number(text) => write!(f, "{text} is no number of virtual nodes: those go from 1 on"),
        }
    }
}

/// The commands: how each is written, and what it does.
pub const COMMANDS: [(&str, &str); 10] = [
    ("add [host] [port] [num]", "a server with num virtual nodes (160 if none is said)"),
    ("del [host] [port]", "a server less"),
    ("get [host] [port]", "which server this client belongs to"),
    ("getVirNum [host] [port]", "the virtual nodes of a server"),
    ("showTime", "all points of the ring, with their servers"),
    ("getRealNum", "how many servers there are"),
    ("getAllNodeNum", "how many points there are in all"),
    ("statDist", "how the ring and the clients are distributed"),
    ("h", "show the commands"),
    ("q", "leave"),
];

/// Reads a line that is not empty.
///
/// # Errors
/// If it is no command, or one without what belongs to it.
pub fn parse(line: &str) -> Result<Command<'_>, BadCommand> {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    let Some(known) = known(word) else { return Err(BadCommand::Unknown(word.to_owned())) };
    let usage = COMMANDS[known].0;
    match (known, arguments[..].as_ref()) {
        (0, [host, port]) => Ok(Command::Add(host, parse_port(port)?, None)),
        (0, [host, port, number]) => Ok(Command::Add(host, parse_port(port)?, Some(parse_number(number)?))),
        (1, [host, port]) => Ok(Command::Del(host, parse_port(port)?)),
        (2, [host, port]) => Ok(Command::Get(host, parse_port(port)?)),
        (3, [host, port]) => Ok(Command::VirtualNodes(host, parse_port(port)?)),
        (4, []) => Ok(Command::Points),
        (5, []) => Ok(Command::Servers),
        (6, []) => Ok(Command::AllNodes),
        (7, []) => Ok(Command::Distribution),
        (8, []) => Ok(Command::Help),
        (9, []) => Ok(Command::Quit),
        _ => Err(BadCommand::Usage(usage)),
    }
}

/// Which of [`COMMANDS`] a word is.
fn known(word: &str) -> Option<usize> {
    let word = match word.to_ascii_lowercase().as_str() {
        "help" | "?" => "h".to_owned(),
        "quit" | "exit" => "q".to_owned(),
        other => other.to_owned(),
    };
    COMMANDS.iter().position(|(written, _)| name(written).eq_ignore_ascii_case(&word))
}

/// The word that a command is called by.
pub fn name(written: &str) -> &str {
    written.split(' ').next().unwrap_or(written)
}

fn parse_port(text: &str) -> Result<u16, BadCommand> {
    let number = text.parse().ok().filter(|&port| port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| BadCommand::Port(text.to_owned()))
}

fn parse_number(text: &str) -> Result<u32, BadCommand> {
    let number =
        text.parse().ok().filter(|&nodes| nodes > 0 && text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| BadCommand::Number(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_commands_are_the_originals() {
        for (line, command) in [
            ("add 127.0.0.1 6000 100", Command::Add("127.0.0.1", 6000, Some(100))),
            ("add  Chat-A.example\t6002", Command::Add("Chat-A.example", 6002, None)),
            ("ADD ::1 1", Command::Add("::1", 1, None)),
            ("del 127.0.0.1 6000", Command::Del("127.0.0.1", 6000)),
            ("get 10.0.0.1 40000", Command::Get("10.0.0.1", 40_000)),
            ("getVirNum a 1", Command::VirtualNodes("a", 1)),
            ("getvirnum a 1", Command::VirtualNodes("a", 1)),
            ("showTime", Command::Points),
            ("getRealNum", Command::Servers),
            ("getAllNodeNum", Command::AllNodes),
            ("statDist", Command::Distribution),
            ("h", Command::Help),
            ("help", Command::Help),
            ("q", Command::Quit),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn each_mistake_gets_a_sentence() {
        for (line, told) in [
            ("add", "it is written add [host] [port] [num]"),
            ("add a 1 2 3", "it is written add [host] [port] [num]"),
            ("add a b", "b is no port: those go from 1 to 65535"),
            ("add a 0", "0 is no port: those go from 1 to 65535"),
            ("add a +1", "+1 is no port: those go from 1 to 65535"),
            ("add a 65536", "65536 is no port: those go from 1 to 65535"),
            ("add a 1 0", "0 is no number of virtual nodes: those go from 1 on"),
            ("add a 1 -5", "-5 is no number of virtual nodes: those go from 1 on"),
            ("add a 1 99999999999", "99999999999 is no number of virtual nodes: those go from 1 on"),
            ("showTime now", "it is written showTime"),
            ("getNothing", "no such command: getNothing (h shows them)"),
        ] {
            assert_eq!(parse(line).map_err(|bad| bad.to_string()), Err(told.to_owned()), "{line}");
        }
    }
}
