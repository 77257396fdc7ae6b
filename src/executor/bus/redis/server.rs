//! A Redis server, and how a connection to it begins: by blocking calls, never on a core.

use super::error::RedisError;
use super::handshake::Handshake;
use super::liveness;
use super::outage_log::OutageLog;
use super::wire::{Secure, Tls, Wire};
use chatd_chat::model::ids::CoreId;
use chatd_chat::model::limits::Limits;
use chatd_tls::Trust;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Value};
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long Redis may take to be reached, and to answer while a connection begins.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where Redis is, who we are there, and how our channels begin.
#[derive(Clone)]
pub struct Server {
    info: ConnectionInfo,
    /// How its connections are encrypted, if they are.
    tls: Option<Tls>,
    /// What the names of all channels begin with.
    pub(super) prefix: String,
    /// What this process is called among the servers that share it and a database: by chance.
    pub(super) id: u64,
    /// What it may say, and what may wait for it.
    pub(super) limits: Limits,
    /// What all cores say of it.
    pub(super) outage_log: Arc<OutageLog>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.at())
    }
}

/// A connection that is greeted, and the number of the core that it is leased to.
pub(crate) struct Greeted {
    pub(crate) stream: TcpStream,
    /// What its bytes go through.
    pub(crate) secure: Option<Secure>,
    /// What Redis calls the connection.
    pub(crate) client: i64,
    /// Unique in the cluster for as long as the connection lives: the lease is a subscription.
    pub(crate) core: CoreId,
    /// What Redis calls the connections of all cores that were there already: those that hang say
    /// nothing of themselves.
    pub(crate) others: Vec<i64>,
    /// What came on the channel of all cores meanwhile, and perhaps the beginning of more.
    pub(crate) heard: Vec<u8>,
    /// Which bus this is: two that say the same are one. Empty if Redis does not tell.
    pub(crate) bus: String,
}

/// What is known when a connection has said who it is.
struct Introduced {
    client: i64,
    core: CoreId,
    others: Vec<i64>,
    bus: String,
}

impl Server {
    /// Reads a URL such as `redis://:secret@127.0.0.1:6379/0`, or one that begins with `rediss:`: then the server
    /// has to show a certificate of somebody whom `trust` names.
    ///
    /// # Errors
    /// If it is not one, or asks for a unix socket; and if nobody can be trusted.
    pub fn new(url: &str, prefix: &str, trust: &Trust) -> Result<Self, RedisError> {
        let rest = url.strip_prefix("rediss:");
        if rest.is_some_and(|rest| rest.contains('#')) {
            return Err(RedisError::Url("it ends with #, and a certificate is always verified".into()));
        }
        if rest.is_none() && *trust != Trust::System {
            return Err(RedisError::Url(
                "--redis-ca names who is trusted, but it does not begin with rediss:".into(),
            ));
        }
        let plain = rest.map_or_else(|| url.to_owned(), |rest| format!("redis:{rest}"));
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RedisError::Prefix(prefix.to_owned()));
        }
        // The URL may hold a password, and so may what the parser says of it.
        let info =
            plain.into_connection_info().map_err(|error| RedisError::Url(error.category().to_owned()))?;
        match info.addr() {
            ConnectionAddr::Tcp(host, _) => Ok(Self {
                tls: rest.map(|_| Tls::new(host, trust)).transpose()?,
                info,
                prefix: prefix.to_owned(),
                id: random() >> 1,
                limits: Limits::default(),
                outage_log: Arc::default(),
            }),
            _ => Err(RedisError::Url("only TCP is supported".into())),
        }
    }

    /// What this process is called among the servers that share Redis and a database: 63 bits by
    /// chance.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is spoken to in TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Host and port, without any secret.
    pub fn at(&self) -> String {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
            _ => unreachable!("checked when it was made"),
        }
    }

    /// Connects, logs in, and leases a number for a core, preferably `wanted`.
    ///
    /// The channel of all cores is listened to before the connections are listed, and the first
    /// heartbeat is said here: of two cores that connect at once, each hears the heartbeats of the
    /// other or has found it on the list, so that neither can hang unnoticed.
    ///
    /// # Errors
    /// With a sentence for whoever started the server.
    pub(crate) fn greet(&self, wanted: Option<CoreId>) -> Result<Greeted, RedisError> {
        let stream = self.connect()?;
        let bytes = self.limits.bus_list_bytes;
        let wire = Wire::new(stream, self.tls.as_ref()).map_err(|why| self.unreachable(why))?;
        let mut handshake = Handshake { wire, read: Vec::new(), heard: Vec::new(), bytes, at: self.at() };
        let settings = self.info.redis_settings();
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if let Some(password) = settings.password() {
            hello.arg("AUTH").arg(self.user()).arg(password);
        }
        if let Err(error) = handshake.ask(&hello) {
            return Err(self.not_greeted(error, &mut handshake));
        }
        let Introduced { client, core, others, bus } =
            self.introduce(&mut handshake, wanted).map_err(|error| self.meant(error))?;
        let Handshake { wire, read, mut heard, .. } = handshake;
        heard.extend_from_slice(&read);
        let (stream, secure) =
            wire.go_on(&mut heard).map_err(|error| RedisError::Untrusted(self.at(), error.to_string()))?;
        let ready = stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None));
        ready.map_err(|why| RedisError::Unreachable(self.at(), why))?;
        Ok(Greeted { stream, secure, client, core, others, heard, bus })
    }

    /// Everything between being let in and being of use.
    fn introduce(&self, handshake: &mut Handshake, wanted: Option<CoreId>) -> Result<Introduced, RedisError> {
        let database = self.info.redis_settings().db();
        if database != 0 {
            handshake.ask(redis::cmd("SELECT").arg(database))?;
        }
        handshake.ask(redis::cmd("CLIENT").arg("SETNAME").arg(self.connection_name()))?;
        let client = match handshake.ask(redis::cmd("CLIENT").arg("ID"))? {
            Value::Int(client) => client,
            _ => 0,
        };
        if is_replica(&handshake.ask(redis::cmd("INFO").arg("replication"))?) {
            return Err(RedisError::Replica(self.at()));
        }
        self.check_rights(handshake)?;
        let core = self.lease(handshake, wanted)?;
        let bus = self.identity(handshake)?;
        let cores = format!("{}cores", self.prefix);
        handshake.ask(redis::cmd("SUBSCRIBE").arg(&cores))?;
        handshake.ask(redis::cmd("PUBLISH").arg(&cores).arg(liveness::heartbeat(client, core)))?;
        let listed = handshake.ask(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub"))?;
        Ok(Introduced { client, core, others: self.cores_of(&listed), bus })
    }

    /// Which bus this is: a process of Redis, and what channels begin with there.
    fn identity(&self, handshake: &mut Handshake) -> Result<String, RedisError> {
        let told = handshake.ask(redis::cmd("INFO").arg("server"))?;
        let run = text(&told).lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(run.map_or_else(String::new, |run| format!("{} {}", run.trim(), self.prefix)))
    }

    /// What all connections of this cluster are named.
    fn connection_name(&self) -> String {
        format!("chatd/{}", self.prefix)
    }

    /// The numbers of this cluster's connections among those that are listed, a line each.
    fn cores_of(&self, listed: &Value) -> Vec<i64> {
        let name = format!("name={}", self.connection_name());
        let ours = text(listed).lines().filter(|line| line.split(' ').any(|field| field == name));
        ours.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse().ok()).collect()
    }

    /// Does what will be needed later, to no effect: no user and no group has the number 0.
    fn check_rights(&self, handshake: &mut Handshake) -> Result<(), RedisError> {
        handshake.ask(&redis::cmd("PING"))?;
        for channel in ["cores", "u:0", "g:0"] {
            let channel = format!("{}{channel}", self.prefix);
            handshake.ask(redis::cmd("SUBSCRIBE").arg(&channel))?;
            handshake.ask(redis::cmd("PUBLISH").arg(&channel).arg(""))?;
            handshake.ask(redis::cmd("UNSUBSCRIBE").arg(&channel))?;
        }
        // No connection has this number.
        handshake.ask(redis::cmd("CLIENT").arg("KILL").arg("ID").arg(i64::MAX))?;
        Ok(())
    }

    /// Who logs in.
    fn user(&self) -> String {
        self.info.redis_settings().username().unwrap_or("default").to_owned()
    }

    /// What a refusal means to whoever reads of it.
    pub(super) fn meant(&self, error: RedisError) -> RedisError {
        match error {
            RedisError::Refused(refused) => refused.meant(self.user(), &self.prefix),
            RedisError::Unreachable(_, why) => self.unreachable(why),
            other => other,
        }
    }

    /// What it means that HELLO was refused. A Redis that does not know it is too old, or somebody has disabled it: that
    /// shows in its version, which it tells those who know the password.
    fn not_greeted(&self, error: RedisError, handshake: &mut Handshake) -> RedisError {
        let RedisError::Refused(refused) = &error else { return self.meant(error) };
        if !refused.is_unknown() {
            return self.meant(error);
        }
        let settings = self.info.redis_settings();
        if let Some(password) = settings.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = settings.username() {
                auth.arg(user);
            }
            // If that is refused, so is what follows.
            let _ = handshake.ask(auth.arg(password));
        }
        let told = handshake.ask(redis::cmd("INFO").arg("server"));
        let version = told.as_ref().ok().and_then(|told| {
            text(told)
                .lines()
                .find_map(|line| line.strip_prefix("redis_version:")?.split('.').next()?.parse().ok())
        });
        match version {
            Some(6..=u32::MAX) => self.meant(error),
            Some(_) | None => RedisError::TooOld(self.at()),
        }
    }

    fn connect(&self) -> Result<TcpStream, RedisError> {
        let unreachable = |why| RedisError::Unreachable(self.at(), why);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.at().to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    let ready = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
                        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                    return ready.map(|()| stream).map_err(unreachable);
                }
                Err(why) => last = why,
            }
        }
        Err(unreachable(last))
    }

    /// How somebody behaves who is spoken to in TLS and does not understand it.
    fn is_silence(why: &io::Error) -> bool {
        use io::ErrorKind::{ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        matches!(why.kind(), UnexpectedEof | ConnectionReset | WouldBlock | TimedOut)
    }

    /// Why it cannot be spoken with.
    fn unreachable(&self, why: io::Error) -> RedisError {
        let meant = self.tls.as_ref().and_then(|tls| tls.meant(&why));
        match (meant, &self.tls) {
            (Some(meant), _) => RedisError::Untrusted(self.at(), meant),
            (None, Some(_)) if Self::is_silence(&why) => RedisError::Untrusted(
                self.at(),
                "it does not answer: does it speak TLS on that port?".to_owned(),
            ),
            (None, _) => RedisError::Unreachable(self.at(), why),
        }
    }

    /// Whoever subscribes to a number's channel alone has it.
    fn lease(&self, handshake: &mut Handshake, wanted: Option<CoreId>) -> Result<CoreId, RedisError> {
        let numbers = u32::from(CoreId::MAX) + 1;
        let first = wanted.map_or_else(|| random() as u32, |core| u32::from(core.0));
        for attempt in 0..numbers {
            // A number that is taken leads to another one by chance: two that collide part.
            let number = if attempt == 0 { first } else { random() as u32 } % numbers;
            let channel = format!("{}core:{number}", self.prefix);
            handshake.ask(redis::cmd("SUBSCRIBE").arg(&channel))?;
            let count = handshake.ask(redis::cmd("PUBSUB").arg("NUMSUB").arg(&channel))?;
            if matches!(&count, Value::Array(pair) if pair.get(1) == Some(&Value::Int(1))) {
                return Ok(CoreId(number as u16));
            }
            handshake.ask(redis::cmd("UNSUBSCRIBE").arg(&channel))?;
        }
        Err(RedisError::NoNumber)
    }
}

/// A number that differs from process to process and from call to call.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Whether this answer to INFO says that it comes from a replica.
pub(super) fn is_replica(told: &Value) -> bool {
    text(told).lines().any(|line| matches!(line.trim_end(), "role:slave" | "role:replica"))
}

/// The text that an answer consists of.
fn text(answer: &Value) -> &str {
    match answer {
        Value::VerbatimString { text, .. } => text,
        Value::BulkString(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        _ => "",
    }
}
