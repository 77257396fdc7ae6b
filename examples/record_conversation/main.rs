//! Records the first conversation: the real chatd, two real chats on pseudo-terminals, and a picture
//! of what their users saw. `docs/record.sh` runs it.
//!
//! `cargo build --bins && cargo run --example record_conversation -- docs/first-conversation.svg`

mod stage;
mod svg;

use stage::{Chat, Server};
use std::error::Error;
use std::path::Path;

/// Whose screen, and how it ends then.
type Sight = (&'static str, &'static str);

/// Who types what, and at the ends of whose screens what is then seen before anything else is typed.
const CONVERSATION: [(&str, &str, &[Sight]); 20] = [
    ("amy", "2", &[("amy", "username:")]),
    ("amy", "amy", &[("amy", "userpassword:")]),
    ("amy", "green door", &[("amy", "choice:")]),
    ("amy", "1", &[("amy", "userid or name:")]),
    ("amy", "amy", &[("amy", "userpassword:")]),
    ("amy", "green door", &[("amy", ">")]),
    ("ben", "2", &[("ben", "username:")]),
    ("ben", "ben", &[("ben", "userpassword:")]),
    ("ben", "blue chair", &[("ben", "choice:")]),
    ("amy", "addfriend:ben", &[("amy", "ben (2) is a friend now\n>")]),
    ("amy", "chat:ben:Tea? At four.", &[("amy", "safe: Tea? At four.\n>")]),
    ("ben", "1", &[("ben", "userid or name:")]),
    ("ben", "ben", &[("ben", "userpassword:")]),
    ("ben", "blue chair", &[("ben", "amy: Tea? At four.\n>"), ("amy", "ben is online\n>")]),
    ("ben", "/open amy", &[("ben", "amy>")]),
    ("ben", "Yes 🍵", &[("amy", "ben: Yes 🍵\n>"), ("ben", "safe: Yes 🍵\namy>")]),
    ("amy", "creategroup:tea:every day", &[("amy", "its id is 1\n>")]),
    ("ben", "addgroup:1", &[("ben", "you are in #1 now\namy>"), ("amy", "#tea: ben joined\n>")]),
    ("amy", "/open #tea", &[("amy", "#tea (1 unread)>")]),
    (
        "amy",
        "The kettle is on",
        &[("ben", "The kettle is on\namy>"), ("amy", "safe: The kettle is on\n#tea (1 unread)>")],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: record_conversation FILE.svg")?;
    let here = std::env::current_exe()?;
    let binaries = here.parent().and_then(Path::parent).ok_or("the binaries are not beside this one")?;
    std::fs::write(file, record(&binaries.join("chatd"), &binaries.join("chat"))?)?;
    Ok(())
}

/// The picture of a conversation that happens now.
pub fn record(chatd: &Path, chat: &Path) -> Result<String, Box<dyn Error>> {
    let server = Server::start(chatd)?;
    let mut amy = Chat::start(chat, &server)?;
    let mut ben = Chat::start(chat, &server)?;
    for screen in [&amy, &ben] {
        screen.until("choice:")?;
    }
    for (who, line, sights) in CONVERSATION {
        let typing = if who == "amy" { &mut amy } else { &mut ben };
        typing.line(line)?;
        for (whose, seen) in sights {
            let seeing = if *whose == "amy" { &amy } else { &ben };
            seeing.until(seen)?;
        }
    }
    Ok(svg::picture(&[("amy", &amy.screen()), ("ben", &ben.screen())]))
}
