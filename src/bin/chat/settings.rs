//! What was meant: the command line and the environment, checked.

use crate::options::Options;
use crate::talk::Elsewhere;
use crate::vouched::Vouched;
use chatd_client::address::NotAnAddress;
use chatd_client::{Address, Cap, Device, Secret, Trust};
use std::io::IsTerminal;
use std::time::Duration;

/// Whom this run is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// A person at a terminal.
    Person,
    /// A script that a person may read.
    Lines,
    /// A program.
    Json,
}

/// Everything that a run is started with.
#[derive(Debug)]
pub struct Settings {
    /// The servers, at least one.
    pub addresses: Vec<Address>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Whom this run is for.
    pub audience: Audience,
    /// What to do when the user who logs in is logged in somewhere else.
    pub elsewhere: Elsewhere,
    /// What is said of this device.
    pub device: Device,
    /// Where another application's word for the user is, if that is how to log in.
    pub vouched: Vouched,
    /// What lets one register.
    pub invitation: Option<Secret>,
    /// Whether a script goes on after a failure.
    pub keep_going: bool,
    /// How long a script waits.
    pub timeout: Duration,
    /// Whether there may be colours.
    pub colours: bool,
}

/// The server when none is named.
const DEFAULT_SERVER: &str = "127.0.0.1:6000";

impl Settings {
    /// # Errors
    /// If what stands for a server is none.
    pub fn new(options: Options) -> Result<Self, NotAnAddress> {
        let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let audience = match options {
            Options { json: true, .. } => Audience::Json,
            Options { script: false, .. } if terminal => Audience::Person,
            _ => Audience::Lines,
        };
        let told = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Ok(Self {
            addresses: addresses(&options.servers, std::env::var("CHAT_SERVER").ok())?,
            trust: Trust::of(options.ca),
            audience,
            elsewhere: match audience {
                _ if options.take_over => Elsewhere::TakeOver,
                // A device beside others replaces nobody.
                Audience::Person if !options.multi => Elsewhere::Ask,
                Audience::Person => Elsewhere::Leave,
                Audience::Lines | Audience::Json => Elsewhere::Leave,
            },
            device: device(options.device, options.multi, || {
                std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
            }),
            vouched: Vouched(options.jwt_file),
            invitation: options.invitation.map(Secret::from),
            keep_going: options.keep_going,
            timeout: Duration::from_secs(options.timeout),
            colours: audience == Audience::Person && !told("NO_COLOR") && !dumb,
        })
    }
}

/// Longest name of a device, in characters.
const DEVICE: usize = 50;

/// What is said of this device. Its name is the machine's, where it is beside others and has no other.
fn device(typed: Option<String>, multi: bool, machine: impl FnOnce() -> String) -> Device {
    if !multi {
        // It is alone: nothing of its user's is said elsewhere.
        let caps = vec![Cap::Read, Cap::Typing, Cap::Changed, Cap::Group, Cap::Friend];
        return Device { name: typed, caps, ..Device::default() };
    }
    Device::beside_others(&typed.unwrap_or_else(|| {
        let name: String = machine().trim().chars().filter(|c| !c.is_control()).take(DEVICE).collect();
        if name.is_empty() { "chat".to_owned() } else { name }
    }))
}

/// `HOST PORT`, or any number of `HOST:PORT`; without any, what `CHAT_SERVER` holds, apart by spaces
/// or commas.
fn addresses(typed: &[String], environment: Option<String>) -> Result<Vec<Address>, NotAnAddress> {
    match typed {
        [host, port] if is_port(port) => Ok(vec![Address::new(host, port)?]),
        [] => {
            let environment = environment.unwrap_or_default();
            let named: Vec<&str> =
                environment.split([' ', ',']).filter(|server| !server.is_empty()).collect();
            let named = if named.is_empty() { vec![DEFAULT_SERVER] } else { named };
            named.into_iter().map(str::parse).collect()
        }
        several => several.iter().map(|server| server.parse()).collect(),
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(typed: &[&str], environment: Option<&str>) -> Vec<String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let addresses = addresses(&typed, environment.map(str::to_owned)).unwrap();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_device_has_the_machines_name_only_beside_others() {
        let machine = || format!("{}\n", "ü".repeat(60));
        let alone = device(None, false, machine);
        assert_eq!((alone.name, alone.multi, alone.caps.contains(&Cap::Own)), (None, false, false));
        assert_eq!(device(None, true, machine), Device::beside_others(&"ü".repeat(50)));
        assert_eq!(device(None, true, || "\n".to_owned()), Device::beside_others("chat"));
        assert_eq!(device(Some("pad".into()), true, machine), Device::beside_others("pad"));
    }

    #[test]
    fn servers_are_named_as_the_seed_does_and_in_other_ways() {
        assert_eq!(shown(&["127.0.0.1", "8000"], Some("x:1")), ["127.0.0.1:8000"]);
        assert_eq!(shown(&["a:1", "b", "[::1]:3"], None), ["a:1", "b:6000", "[::1]:3"]);
        assert_eq!(shown(&[], Some("a:1, b:2")), ["a:1", "b:2"]);
        assert_eq!(shown(&["tls://a", "8000"], None), ["tls://a:8000"]);
        assert_eq!(shown(&[], Some("")), ["127.0.0.1:6000"]);
        assert_eq!(shown(&[], None), ["127.0.0.1:6000"]);
        assert!(addresses(&["a".to_owned(), "99999".to_owned()], None).is_err());
    }
}
