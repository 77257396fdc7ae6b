//! The server: where its API is, who we are to it, and what it answers.

use super::acts::Asked;
use super::exit::Exit;
use super::options::Options;
use super::unix_socket::UnixConnector;
use super::visible::visible;
use chatd_tls::trust::Trust;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body, config::Config};

/// Where a packaged server has its socket.
const PACKAGED: &str = "/run/chatd/api.sock";
/// Bytes of an answer at most, but for one that is streamed.
const ANSWER_BYTES: u64 = 16 << 20;
/// Bytes of a line of a streamed answer at most.
const LINE_BYTES: u64 = 1 << 20;

type Failed = (Exit, String);

/// A server's API.
pub struct Server {
    agent: Agent,
    /// What comes before the path.
    base: String,
    /// What it is called when it is not there.
    name: String,
    token: Option<String>,
}

impl Server {
    /// The one that was meant.
    ///
    /// # Errors
    /// If the token cannot be read, or nobody can be trusted.
    pub fn of(options: &Options) -> Result<Self, Failed> {
        let token = options.token_file.as_deref().map(token).transpose()?;
        let packaged = Path::new(PACKAGED);
        let socket = match &options.socket {
            Some(socket) => Some(socket.clone()),
            None if token.is_none() && packaged.exists() => Some(packaged.to_owned()),
            None => None,
        };
        let config = || {
            Agent::config_builder()
                .timeout_global(Some(Duration::from_secs(options.timeout)))
                .http_status_as_error(false)
                .max_redirects(0)
                .proxy(None)
        };
        Ok(match socket {
            Some(socket) => Self {
                name: socket.display().to_string(),
                agent: by_socket(config().build(), socket),
                base: "http://localhost".to_owned(),
                token,
            },
            None => Self {
                name: options.url.clone(),
                agent: config().tls_config(tls(&options.url)?).build().into(),
                base: options.url.trim_end_matches('/').to_owned(),
                token,
            },
        })
    }

    fn post(&self, asked: &Asked) -> Result<Response<Body>, Failed> {
        let mut request = self.agent.post(format!("{}/v1/{}", self.base, asked.act));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = request.header("Content-Type", "application/json").send(asked.body.to_string());
        let answer = answer.map_err(|error| self.unanswered(&error))?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            401 => Err((Exit::Unreachable, format!("{} does not take this token (--token-file)", self.name))),
            status => {
                let mut answer = answer;
                let said =
                    answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().unwrap_or_default();
                let why = why(&said);
                Err((Exit::Unreachable, format!("{} answers {status} to {}: {why}", self.name, asked.act)))
            }
        }
    }

    /// Has an act done; its answer.
    ///
    /// # Errors
    /// If there is none.
    pub fn act(&self, asked: &Asked) -> Result<Value, Failed> {
        let mut answer = self.post(asked)?;
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        let text = text.map_err(|error| self.unanswered(&error))?;
        serde_json::from_str(&text)
            .map_err(|_| (Exit::Unreachable, format!("{} answers no JSON: is it a chatd?", self.name)))
    }

    /// Has an act done that is answered line by line, and passes the lines on as they come.
    ///
    /// # Errors
    /// If it is refused, or ends before it is whole.
    pub fn stream(&self, asked: &Asked, out: &mut dyn Write) -> Result<(), Failed> {
        let mut answer = self.post(asked)?;
        let mut lines = BufReader::new(answer.body_mut().with_config().limit(u64::MAX).reader());
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line);
            let cut =
                |why: String| (Exit::Unreachable, format!("{}: what came is not whole: {why}", self.name));
            match read {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(cut(error.to_string())),
            }
            let said: Value = serde_json::from_slice(&line).map_err(|error| cut(error.to_string()))?;
            if said["errno"].as_i64().is_some_and(|errno| errno != 0) {
                return Err((Exit::Refused, super::show::refusal(&said)));
            }
            if !super::show::write(out, &line)? {
                return Ok(());
            }
        }
    }

    fn unanswered(&self, error: &ureq::Error) -> Failed {
        (Exit::Unreachable, format!("no answer from {}: {error}", self.name))
    }
}

fn by_socket(config: Config, socket: PathBuf) -> Agent {
    Agent::with_parts(config, UnixConnector(socket), DefaultResolver::default())
}

/// The token of a file: its first line that is none of a comment, and of that line the last word.
fn token(file: &Path) -> Result<String, Failed> {
    let text = fs::read_to_string(file)
        .map_err(|error| (Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
    // What some editors put before a text is no part of it.
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let token = lines.next().and_then(|line| line.split_whitespace().next_back());
    token.map(str::to_owned).ok_or_else(|| (Exit::Usage, format!("{} has no token", file.display())))
}

fn tls(url: &str) -> Result<TlsConfig, Failed> {
    let trusted = match url.starts_with("https:") {
        true => Trust::System.certificates().map_err(|why| (Exit::Usage, why.to_string()))?,
        false => Vec::new(),
    };
    let roots: Vec<_> = trusted.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build())
}

/// Why something is refused: what the API says of it, or the sentence of whoever answers in its place. A page for browsers is
/// none.
fn why(said: &str) -> String {
    let error = serde_json::from_str::<Value>(said).ok();
    let error = error.as_ref().and_then(|error| error["errmsg"].as_str());
    let sentence = said.lines().next().filter(|line| !line.is_empty() && !line.starts_with(['<', '{']));
    visible(error.or(sentence).unwrap_or("it does not say why")).into_owned()
}
