//! Who is told of what happens: the options of the webhook, and what they mean.

use chatd::storage::is_this_machine;
use chatd::storage::outbox::{Bounds, Kinds, Secret, Webhook};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a secret at least: a shorter one would be guessed.
const SECRET_BYTES: usize = 16;
/// Milliseconds before which nobody is sure to have confirmed what it has: TCP is looked at once a second.
const SURE_MS: u64 = 3_000;
/// The name of the credential of systemd that has it.
const CREDENTIAL: &str = "webhook-secret";

/// An application that is told of what happens.
#[derive(Clone, Debug, Args)]
pub struct Webhooks {
    /// Posts what happens to this address, https://app.example/chat: messages that were stored, and more. Signed, in order
    /// for each conversation, at least once (docs/webhooks.md). All servers of a cluster must be told the same.
    #[arg(long, value_name = "URL", env = "CHATD_WEBHOOK_URL", hide_env_values = true, value_parser = url)]
    pub webhook_url: Option<String>,

    /// What it is signed with: a file of 16 bytes at least. [default: the credential webhook-secret of systemd]
    #[arg(long, value_name = "FILE", env = "CHATD_WEBHOOK_SECRET_FILE", requires = "webhook_url")]
    pub webhook_secret_file: Option<PathBuf>,

    /// What is told.
    #[arg(long, value_name = "NAME[,NAME]", default_value = "message,undelivered,read,user,group", value_parser = kinds)]
    pub webhook_events: Kinds,

    /// Milliseconds after which a message is told of as undelivered if none of its reader's devices has confirmed it. Below
    /// 3000 members of groups who are there may be told of, too.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    pub push_after_ms: u64,

    /// Rows of events that may wait, each of what one transaction told. Beyond that the oldest are dropped, and counted.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub webhook_keep_rows: u64,

    /// Hours that events may wait. Older ones are dropped, and counted.
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    pub webhook_keep_hours: u64,
}

fn url(text: &str) -> Result<String, String> {
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Ok(text.to_owned()),
        false => Err("it begins with https:// or http://".to_owned()),
    }
}

fn kinds(text: &str) -> Result<Kinds, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    Kinds::named(names)
        .map_err(|name| format!("{name} is none of message, undelivered, read, user and group"))
}

impl Webhooks {
    /// How often it is written how far members of groups have come: in time for whoever looks which of them have not
    /// confirmed what was said. A third of that time, so that the others are for TCP and the walk over all sessions.
    pub fn cursors_ms(&self, seldom_ms: u64) -> u64 {
        match self.webhook_url.is_some() && self.webhook_events.undelivered {
            true => seldom_ms.min(self.push_after_ms / 3),
            false => seldom_ms,
        }
    }

    /// What the store is told of it, if there is one.
    ///
    /// # Errors
    /// With a sentence, if there is no secret that will do.
    pub fn webhook(&self, warnings: &mut Vec<String>) -> Result<Option<Webhook>, String> {
        let Some(url) = self.webhook_url.clone() else { return Ok(None) };
        let credential = || Some(PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL));
        let file = self.webhook_secret_file.clone();
        let file = file.or_else(|| credential().filter(|file| file.is_file()));
        let Some(file) = file else {
            return Err("--webhook-url takes --webhook-secret-file: nobody could tell what comes from here"
                .to_owned());
        };
        if url.starts_with("http://") && !is_this_machine(&url) {
            warnings.push(
                "the webhook is posted to in clear text: whoever is on the way reads what is said".to_owned(),
            );
        }
        if self.webhook_events.undelivered && self.push_after_ms < SURE_MS {
            warnings.push(format!(
                "--push-after-ms is less than {SURE_MS}: members of groups who are there may be told of as if they were not"
            ));
        }
        Ok(Some(Webhook {
            url,
            secret: secret(&file)?,
            kinds: self.webhook_events,
            bounds: Bounds { rows: self.webhook_keep_rows, age_ms: self.webhook_keep_hours * 3_600_000 },
            push_after: Duration::from_millis(self.push_after_ms),
        }))
    }
}

fn secret(file: &Path) -> Result<Secret, String> {
    let mut bytes =
        std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.len() < SECRET_BYTES {
        return Err(format!(
            "the secret in {} has less than {SECRET_BYTES} bytes, and would be guessed",
            file.display()
        ));
    }
    Ok(Secret(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_written_before_anybody_is_told_of() {
        for (url, kinds, push_after_ms, wanted) in [
            (None, Kinds::ALL, 3_000, 5_000),
            (Some("http://127.0.0.1/"), Kinds { undelivered: false, ..Kinds::ALL }, 3_000, 5_000),
            (Some("http://127.0.0.1/"), Kinds::ALL, 3_000, 1_000),
            (Some("http://127.0.0.1/"), Kinds::ALL, 86_400_000, 5_000),
        ] {
            let webhooks = Webhooks {
                webhook_url: url.map(str::to_owned),
                webhook_secret_file: None,
                webhook_events: kinds,
                push_after_ms,
                webhook_keep_rows: 1,
                webhook_keep_hours: 1,
            };
            assert_eq!(webhooks.cursors_ms(5_000), wanted, "{webhooks:?}");
        }
    }

    #[test]
    fn an_event_that_is_none_is_named() {
        assert_eq!(kinds("message, read"), Ok(Kinds { message: true, read: true, ..Kinds::default() }));
        assert!(kinds("message,nonsense").unwrap_err().starts_with("nonsense"));
    }
}
