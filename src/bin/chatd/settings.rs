//! What was meant: the command line, checked against the machine.

use crate::api::{self, NoApi};
use crate::options::{AdminAt, Options, Register};
use crate::{cpus, files};
use chatd::chat::model::ids::CoreId;
use chatd::chat::model::limits::Limits;
use chatd::chat::model::rate::{GroupRate, Rates};
use chatd::chat::model::registration::{Invitations, Registration};
use chatd::chat::model::retention::Retention;
use chatd::executor::admin::api::Tokens;
use chatd::executor::boot::{Delivery, Origins, Proxies, RingMode, Secrecy, Site};
use chatd::executor::bus::redis::{RedisError, Server};
use chatd::executor::metrics::Measuring;
use chatd::storage::auth_hook::AuthHook;
use chatd::storage::jwt::Policy;
use chatd::storage::jwt::gate::Application;
use chatd::storage::jwt::source::{NoKeys, Source};
use chatd::storage::mysql::Refusal;
use chatd::storage::outbox::Webhook;
use chatd::storage::password::Cost;
use chatd::storage::{Backend, Config, MySqlUrl};
use chatd_tls::{Identity, Trust};
use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything that the server is started with.
pub struct Settings {
    /// Where to listen.
    pub address: SocketAddr,
    /// The CPU of each core.
    pub cpus: Vec<usize>,
    /// The bounds of each core.
    pub limits: Limits,
    /// How the cores hear of each other.
    pub delivery: Delivery,
    /// Whether latencies are measured.
    pub measuring: Measuring,
    /// How long a core looks for something to do before it sleeps.
    pub busy_poll: Duration,
    /// What the rings use of the kernel, if that was said.
    pub ring: Option<RingMode>,
    /// Where the metrics are to be shown, if that was said.
    pub admin: Option<AdminAt>,
    /// Names that the admin address answers to.
    pub admin_hosts: Vec<String>,
    /// Who may use the API there.
    pub api_tokens: Tokens,
    /// Where else it is.
    pub api_socket: Option<PathBuf>,
    /// How that port is encrypted.
    pub secrecy: Secrecy,
    /// What HTTP gives on the clients' port.
    pub site: Site,
    /// Who is believed when it says whom it speaks for.
    pub proxies: Proxies,
    /// How often clients may do what.
    pub rates: Rates,
    /// Where the latency log goes, and how long its intervals are.
    pub latency_log: Option<(PathBuf, Duration)>,
    /// Which one-to-one messages are stored.
    pub keep: Retention,
    /// Who may register.
    pub registration: Registration,
    /// Whether messages are searched.
    pub search: bool,
    /// What hashing a password costs.
    pub cost: Cost,
    /// Whose signed word lets users in, if there is somebody.
    pub application: Option<Application>,
    /// Who is told of what happens, if there is somebody.
    pub webhook: Option<Webhook>,
    /// Who is asked about passwords, if there is somebody.
    pub hook: Option<Arc<AuthHook>>,
    /// Which store, and where.
    pub backend: Backend,
    /// What the operator should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Why the command line cannot be meant.
#[derive(Debug)]
pub enum Impossible {
    /// `--cores 0`, or more than message ids can tell apart.
    Cores(usize),
    /// There is no certificate to speak TLS with.
    Tls(chatd_tls::Refusal),
    /// Everybody who reaches it could register.
    OpenToAll(IpAddr),
    /// There are no invitations, or some that are guessed.
    Invitations(PathBuf, String),
    /// There are no keys to believe an application by.
    Keys(NoKeys),
    /// There is nobody who may use the API.
    Api(NoApi),
    /// There is no secret to sign what is told an application.
    Webhook(String),
    /// There is nobody to ask about passwords.
    Hook(String),
    /// The MySQL URL is none.
    MySql(Refusal),
    /// The Redis URL is none.
    Redis(RedisError),
    /// The system does not say which CPUs there are.
    NoCpus,
    /// Too few files may be open for even a few connections.
    OpenFiles(u64),
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impossible::Cores(cores) => {
                write!(f, "--cores {cores} is not possible: it takes 1 to {}", u32::from(CoreId::MAX) + 1)
            }
            Impossible::Tls(why) => write!(f, "no TLS: {why}"),
            Impossible::OpenToAll(address) => write!(
                f,
                "--registration open on {address}: everybody who reaches it could register; --open-to-all says that \
                 this is meant, and --registration token or closed is something else"
            ),
            Impossible::Invitations(file, why) => write!(f, "invitations: {}: {why}", file.display()),
            Impossible::Keys(why) => why.fmt(f),
            Impossible::Api(why) => why.fmt(f),
            Impossible::Webhook(why) => f.write_str(why),
            Impossible::Hook(why) => write!(f, "--auth-url: {why}"),
            Impossible::MySql(error) => error.fmt(f),
            Impossible::Redis(error) => error.fmt(f),
            Impossible::NoCpus => f.write_str("the system does not say which CPUs this process may use"),
            Impossible::OpenFiles(limit) => {
                write!(f, "only {limit} files may be open: raise the limit (ulimit -n, LimitNOFILE=)")
            }
        }
    }
}

impl std::error::Error for Impossible {}

/// Descriptors that are not connections of clients: the store, rings, pipes, the admin address; and
/// some for each core.
const OTHER_FILES: u64 = 128;
const FILES_A_CORE: u64 = 16;
/// Bytes of an invitation at least.
const INVITATION_BYTES: usize = 12;

impl Settings {
    /// `open_files` is how many files this process may have open.
    ///
    /// # Errors
    /// If it cannot be meant.
    pub fn new(options: Options, open_files: u64) -> Result<Self, Impossible> {
        let allowed = cpus::allowed().ok_or(Impossible::NoCpus)?;
        let cores = options.cores.unwrap_or_else(|| cpus::by_itself(&allowed));
        if cores == 0 || cores > usize::from(CoreId::MAX) + 1 {
            return Err(Impossible::Cores(cores));
        }
        let mut warnings = Vec::new();
        if cores > allowed.len() {
            warnings.push(format!(
                "{cores} cores on {} CPUs: several executors share a CPU, which costs latency",
                allowed.len()
            ));
        }
        if options.password_cost.is_weak() {
            warnings.push(format!(
                "passwords are hashed with {}, which is weaker than OWASP's minimum m=19456,t=2,p=1",
                options.password_cost
            ));
        }
        let secrecy = secrecy(&options, &mut warnings)?;
        let application = application(&options)?;
        let api_tokens = api::tokens(&options.api).map_err(Impossible::Api)?;
        let webhook = options.webhooks.webhook(&mut warnings).map_err(Impossible::Webhook)?;
        let hook = hook(&options)?;
        let registration = registration(&options)?;
        let rates = options.rates();
        warnings.extend(without_rates(&options, &rates));
        if options.latency_log.is_some() && options.measure == Measuring::Off {
            warnings.push("the latency log stays empty with --measure off".to_owned());
        }
        let delivery = match &options.redis {
            Some(url) => Delivery::Redis(Arc::new(
                Server::new(url, &options.redis_prefix, &Trust::of(options.redis_ca.clone()))
                    .map_err(Impossible::Redis)?,
            )),
            None => Delivery::InProcess,
        };
        let backend = match &options.mysql {
            Some(url) => Backend::MySql(
                MySqlUrl::parse_trusting(url, &Trust::of(options.mysql_ca)).map_err(Impossible::MySql)?,
            ),
            None => Backend::Directory(options.data),
        };
        warnings.extend(half_a_cluster(&backend, &delivery));
        warnings.extend(options.typed_urls.iter().filter_map(|name| match *name {
            "mysql" => options.mysql.as_deref().and_then(|url| seen_password("mysql", url)),
            _ => options.redis.as_deref().and_then(|url| seen_password("redis", url)),
        }));
        let mut limits = Limits::default();
        limits.cursors_ms = options.webhooks.cursors_ms(limits.cursors_ms);
        let room = open_files.saturating_sub(OTHER_FILES + cores as u64 * FILES_A_CORE) / cores as u64;
        if room < 16 {
            return Err(Impossible::OpenFiles(open_files));
        }
        if room < limits.connections as u64 {
            limits.connections = room as usize;
            limits.anonymous = limits.anonymous.min(limits.connections / 2);
            warnings.push(format!(
                "{open_files} files may be open, so each core takes {room} connections (ulimit -n)"
            ));
        }
        Ok(Self {
            address: SocketAddr::new(options.bind, options.port),
            cpus: cpus::chosen(&allowed, cores, options.cores.is_none() && cores < allowed.len()),
            limits,
            delivery,
            measuring: options.measure,
            ring: options.ring,
            busy_poll: Duration::from_micros(options.busy_poll),
            admin: options.admin,
            admin_hosts: options.admin_host,
            api_tokens,
            api_socket: options.api.api_socket,
            secrecy,
            site: Site {
                page: options.web.unwrap_or(options.bind.is_loopback()),
                origins: match options.web_origin.iter().any(|origin| origin == "*") {
                    true => Origins::All,
                    false => Origins::Listed(options.web_origin),
                },
            },
            proxies: Proxies::new(options.proxy_from),
            rates,
            latency_log: options.latency_log.map(|path| (path, options.latency_log_interval)),
            keep: options.keep,
            registration,
            search: !options.no_search,
            cost: options.password_cost,
            application,
            webhook,
            hook,
            backend,
            warnings,
        })
    }

    /// What the store is opened with.
    pub fn store(&self) -> Config {
        Config {
            backend: self.backend.clone(),
            cost: self.cost,
            application: self.application.clone(),
            hook: self.hook.clone(),
            limits: self.limits.clone(),
            retention: self.keep,
            search: self.search,
            webhook: self.webhook.clone(),
        }
    }
}

/// How the port is encrypted, and what is to be said of that.
fn secrecy(options: &Options, warnings: &mut Vec<String>) -> Result<Secrecy, Impossible> {
    let identity = match (options.tls_cert.clone(), options.tls_key.clone()) {
        (Some(certificate), Some(key)) => {
            Some(Arc::new(Identity::read(certificate, key).map_err(Impossible::Tls)?))
        }
        _ => None,
    };
    warnings.extend(identity.as_ref().and_then(|identity| identity.warning()));
    if !options.bind.is_loopback() && !options.require_tls {
        let what = match &identity {
            None => "clients speak in clear text: --tls-cert and --tls-key encrypt, or a TLS proxy in front",
            Some(_) => "clients may speak in clear text, too: --require-tls refuses it",
        };
        warnings.push(what.to_owned());
    }
    Ok(Secrecy { identity, required: options.require_tls })
}

/// Who may register: beyond this machine nobody, unless that was said.
fn registration(options: &Options) -> Result<Registration, Impossible> {
    match options.register.registration {
        None if options.bind.is_loopback() => Ok(Registration::Open),
        None => Ok(Registration::Here),
        Some(Register::Open) if options.bind.is_loopback() || options.register.open_to_all => {
            Ok(Registration::Open)
        }
        Some(Register::Open) => Err(Impossible::OpenToAll(options.bind)),
        Some(Register::Closed) => Ok(Registration::Closed),
        Some(Register::Token) => {
            let file = options.register.registration_tokens.clone().unwrap_or_default();
            invitations(&file).map(Registration::Invited)
        }
    }
}

/// The invitations in a file.
///
/// # Errors
/// If there are none, or some that are guessed.
pub fn invitations(file: &Path) -> Result<Invitations, Impossible> {
    let bad = |why: String| Impossible::Invitations(file.to_owned(), why);
    let text = files::text(file).map_err(|error| bad(error.to_string()))?;
    let invitations = Invitations::of_lines(&text);
    match invitations.iter().map(str::len).min() {
        None => Err(bad("there is none in it".to_owned())),
        Some(..INVITATION_BYTES) => {
            Err(bad(format!("one has less than {INVITATION_BYTES} bytes, and would be guessed")))
        }
        Some(_) => Ok(invitations),
    }
}

/// Whose signed word is taken, if that was said.
fn application(options: &Options) -> Result<Option<Application>, Impossible> {
    let jwt = &options.jwt;
    let file = jwt.jwt_key.clone().map(Source::File);
    let secret = || jwt.jwt_secret.clone().map(Source::Secret);
    let Some(source) = file.or_else(secret).or_else(|| jwt.jwt_jwks.clone().map(Source::Url)) else {
        return Ok(None);
    };
    let (issuer, audience) = (jwt.jwt_issuer.clone(), jwt.jwt_audience.clone());
    let policy = Policy { issuer: issuer.unwrap_or_default(), audience: audience.unwrap_or_default() };
    Application::new(policy, source).map(Some).map_err(Impossible::Keys)
}

/// Who is asked about passwords, if that was said.
fn hook(options: &Options) -> Result<Option<Arc<AuthHook>>, Impossible> {
    let (Some(url), Some(file)) = (&options.hook.auth_url, &options.hook.auth_secret_file) else {
        return Ok(None);
    };
    if options.register.registration != Some(Register::Closed) {
        let why = "whoever registers here has a password here, which nobody would ask for: it takes \
                   --registration closed";
        return Err(Impossible::Hook(why.to_owned()));
    }
    let secret = fs::read(file).map_err(|why| Impossible::Hook(format!("{}: {why}", file.display())))?;
    let hook = AuthHook::new(url, &secret).map_err(|why| Impossible::Hook(why.to_string()))?;
    Ok(Some(Arc::new(hook)))
}

/// What everybody may do who reaches a server without rates.
fn without_rates(options: &Options, rates: &Rates) -> Option<String> {
    let is_open = !options.bind.is_loopback() || !options.proxy_from.is_empty();
    let missing = [
        ("--message-rate", rates.message.is_off()),
        ("--byte-rate", rates.byte.is_off()),
        ("--lookup-rate", rates.lookup.is_off()),
        ("--change-rate", rates.change.is_off()),
        ("--guess-rate", rates.guess.is_off()),
        ("--connect-rate", rates.connect.is_off()),
        ("--address-connections", rates.connections == 0),
        ("--group-rate", rates.group == GroupRate::Off),
    ];
    let missing: Vec<&str> = missing.iter().filter(|(_, off)| *off).map(|(name, _)| *name).collect();
    (is_open && !missing.is_empty()).then(|| {
        format!("others reach this server, and nothing bounds how fast one client asks: {} (docs/operations.md, Floods)", missing.join(", "))
    })
}

/// What goes wrong where only one of the two things that servers share is shared.
fn half_a_cluster(backend: &Backend, delivery: &Delivery) -> Option<String> {
    match (backend, delivery) {
        (Backend::MySql(_), Delivery::InProcess) => Some(
            "--mysql without --redis: only one server may use this database, for several would not hear of \
             each other"
                .to_owned(),
        ),
        (Backend::Directory(_), Delivery::Redis(_)) => Some(
            "--redis without --mysql: only one server may use this Redis with this --redis-prefix, for the \
             users of several would get each other's messages"
                .to_owned(),
        ),
        _ => None,
    }
}

/// A password on the command line is seen by everybody who lists the processes of this machine.
fn seen_password(name: &str, url: &str) -> Option<String> {
    let (login, _) = url.split_once("://")?.1.rsplit_once('@')?;
    login.split_once(':').map(|_| {
        let variable = name.to_uppercase();
        format!("whoever lists the processes of this machine sees the password in --{name}; CHATD_{variable} hides it")
    })
}
