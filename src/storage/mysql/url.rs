//! Where a MySQL or MariaDB is and who logs in there, as one URL. Never shows the password.

use super::refusal::Refusal;
use super::session;
use chatd_tls::Trust;
use mysql_async::{Opts, OptsBuilder, SslOpts, UrlError};
use std::fmt;
use std::time::Duration;

const KEEPALIVE: Duration = Duration::from_secs(10);
/// Bytes of one packet at most, in either direction: statements are 4 MiB at most, and a row is a message.
/// A server that sends a larger one is lost.
const PACKET_BYTES: usize = 16 << 20;

/// `mysql://user:password@host:port/database`; `?socket=/path` for a Unix socket, `?require_ssl=true` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct MySqlUrl {
    opts: Opts,
    user: String,
    database: String,
    server: String,
}

impl MySqlUrl {
    /// Understands a URL.
    ///
    /// # Errors
    /// If it is none, or leaves out the user or the database. What it says never repeats the URL,
    /// which has a password in it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::parse_trusting(text, &Trust::System)
    }

    /// The same; if it asks for TLS, the server has to show a certificate of somebody whom `trust` names.
    ///
    /// # Errors
    /// Also if nobody can be trusted.
    pub fn parse_trusting(text: &str, trust: &Trust) -> Result<Self, Refusal> {
        let text =
            text.strip_prefix("mariadb://").map_or_else(|| text.to_owned(), |rest| format!("mysql://{rest}"));
        let opts = Opts::from_url(&text).map_err(|error| Refusal::Url(explain(error)))?;
        let part = |part: Option<&str>, what: &str| {
            part.filter(|part| !part.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| Refusal::Url(format!("it names no {what}")))
        };
        let (user, database) = (part(opts.user(), "user")?, part(opts.db_name(), "database")?);
        let host = part(Some(opts.ip_or_hostname()), "host")?;
        let server = opts.socket().map_or_else(|| format!("{host}:{}", opts.tcp_port()), str::to_owned);
        let opts = secured(opts, trust)?;
        Ok(Self { opts, user, database, server })
    }

    /// What to connect with.
    pub fn opts(&self) -> Opts {
        OptsBuilder::from_opts(self.opts.clone())
            .init(vec![session::FIRST.to_owned()])
            // Statements are kept by whoever uses them.
            .stmt_cache_size(0)
            // `@@socket` is a path on the server's machine: on this one another server may listen there.
            // A URL with `socket=` has said which it means.
            .prefer_socket(false)
            .tcp_keepalive(Some(KEEPALIVE))
            .client_found_rows(false)
            .max_allowed_packet(Some(PACKET_BYTES))
            .into()
    }

    /// Who logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Which database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// On which machine.
    pub(super) fn host(&self) -> &str {
        self.opts.ip_or_hostname()
    }

    /// Where: host and port, or the path of a socket.
    pub fn server(&self) -> &str {
        &self.server
    }
}

/// The same options with TLS as we mean it: whom we trust says `trust`, and no certificate is believed unseen.
fn secured(opts: Opts, trust: &Trust) -> Result<Opts, Refusal> {
    let refuse = |why: &str| Err(Refusal::Url(why.to_owned()));
    let Some(ssl) = opts.ssl_opts() else {
        return match trust {
            Trust::System => Ok(opts),
            Trust::File(_) => {
                refuse("--mysql-ca names who is trusted, but there is no require_ssl=true in it")
            }
        };
    };
    if ssl.accept_invalid_certs() || ssl.skip_domain_validation() {
        return refuse("certificates are always verified: leave verify_ca and verify_identity out");
    }
    if opts.socket().is_some() {
        return refuse("a Unix socket needs no TLS: leave require_ssl out");
    }
    let host = opts.ip_or_hostname();
    let known = chatd_tls::trust::name_of(host).and_then(|_| trust.certificates());
    let roots = known.map_err(|why| Refusal::Tls { server: host.to_owned(), why: why.to_string() })?;
    let roots = roots.into_iter().map(|root| root.to_vec().into()).collect();
    let ssl = SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true);
    Ok(OptsBuilder::from_opts(opts).ssl_opts(Some(ssl)).into())
}

fn explain(error: UrlError) -> String {
    let harmless =
        |text: &str| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match error {
        UrlError::UnsupportedScheme { .. } => "it does not begin with mysql://".to_owned(),
        UrlError::FeatureRequired { param, .. } if harmless(&param) => format!("{param} is not supported"),
        UrlError::UnknownParameter { param } if harmless(&param) => format!("there is no parameter {param}"),
        UrlError::InvalidParamValue { param, .. } if harmless(&param) => {
            format!("the value of {param} is none")
        }
        UrlError::Parse(error) => error.to_string(),
        _ => "something in it has another place or form".to_owned(),
    }
}

impl fmt::Display for MySqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mysql://{}@{}/{}", self.user, self.server, self.database)
    }
}

impl fmt::Debug for MySqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who_and_never_the_password() {
        let url = MySqlUrl::parse("mysql://chat:s%40cret@db.example:3307/chat").unwrap();
        assert_eq!((url.user(), url.database(), url.server()), ("chat", "chat", "db.example:3307"));
        assert_eq!(url.opts().pass(), Some("s@cret"));
        for shown in [format!("{url}"), format!("{url:?}")] {
            assert_eq!(shown, "mysql://chat@db.example:3307/chat");
        }
        assert_eq!(MySqlUrl::parse("mariadb://a@b/c").unwrap().server(), "b:3306");
        let url = MySqlUrl::parse("mysql://a@localhost/c?socket=/run/x.sock").unwrap();
        assert_eq!(url.server(), "/run/x.sock");
        let asked = MySqlUrl::parse("mysql://a@b/c?prefer_socket=true").unwrap();
        assert!(!asked.opts().prefer_socket(), "only a socket that is named is used");
    }

    #[test]
    fn who_is_trusted_is_of_use_to_tls_alone() {
        let file = Trust::File("/no/such/secret".into());
        let refusal = |url| MySqlUrl::parse_trusting(url, &file).unwrap_err().to_string();
        assert!(refusal("mysql://u:p@h/d").contains("no require_ssl=true"));
        assert!(refusal("mysql://u:p@h/d?require_ssl=true").contains("cannot be read"));
    }

    #[test]
    fn what_is_no_url_is_named_and_not_repeated() {
        for (url, what) in [
            ("", "relative"),
            ("secret", "relative"),
            ("redis://u:secret@h/d", "mysql://"),
            ("mysql://h/d", "no user"),
            ("mysql://u:secret@h", "no database"),
            ("mysql://u:secret@h/", "no database"),
            ("mysql://u:se/cret@h/d", "port"),
            ("mysql://u:12?secret@h/d", "another place"),
            ("mysql://u:secret@h/d?pool=secret", "no parameter pool"),
            ("mysql://u:secret@h/d?require_ssl=true&verify_ca=false", "always verified"),
            ("mysql://u:secret@h/d?require_ssl=true&verify_identity=false", "always verified"),
            ("mysql://u:secret@h/d?require_ssl=true&socket=/run/x", "needs no TLS"),
            ("mysql://u:secret@h/d?pool_min=secret", "pool_min"),
        ] {
            let refusal = MySqlUrl::parse(url).unwrap_err().to_string();
            assert!(
                refusal.contains(what) && !refusal.contains("secret") && !refusal.contains("cret@"),
                "{url}: {refusal}"
            );
        }
    }
}
