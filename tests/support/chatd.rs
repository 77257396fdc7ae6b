//! A real chatd: started on a port of its own with a directory of its own, killed when dropped.

use super::DEADLINE;
use super::door::Door;
use super::scratch::Scratch;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

/// Appears in every password of these tests, and never in what chatd prints.
pub const SECRET: &str = "hush-hush";

/// What runs in the child between fork and exec. Only calls that are safe there.
type Before = Box<dyn FnMut() -> io::Result<()> + Send + Sync>;

/// A chatd that is to be started.
pub struct Setup {
    cores: usize,
    port: u16,
    program: PathBuf,
    data: Arc<Scratch>,
    /// The data directory, if it is not the scratch directory itself.
    directory: Option<PathBuf>,
    cost: Option<&'static str>,
    /// Its default address is one for the whole machine.
    admin: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    before: Vec<Before>,
    listening: Listening,
    /// Where it says things, if that is not where the test listens.
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
}

impl Setup {
    pub fn new(cores: usize) -> Self {
        Self {
            cores,
            port: 0,
            program: crate::program("chatd"),
            data: Arc::new(Scratch::new()),
            directory: None,
            cost: Some("m=8,t=1,p=1"),
            admin: "off".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            before: Vec::new(),
            listening: Listening::ToTheEnd,
            stdout: None,
            stderr: None,
        }
    }

    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Where another chatd was, or is.
    pub fn data(mut self, data: &Arc<Scratch>) -> Self {
        self.data = data.clone();
        self
    }

    /// Another copy of chatd.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = program.into();
        self
    }

    /// Another data directory than the scratch directory itself.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// With the password cost that chatd has by itself.
    pub fn default_cost(mut self) -> Self {
        self.cost = None;
        self
    }

    /// Where its metrics are shown; nowhere by itself.
    pub fn admin(mut self, address: &str) -> Self {
        self.admin = address.into();
        self
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With a variable in its environment.
    pub fn environment(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Once it is ready nobody reads what it prints, and its pipes are broken.
    pub fn unheard(mut self) -> Self {
        self.listening = Listening::UntilReady;
        self
    }

    /// What it says about itself goes there.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.stderr = Some(to.into());
        self
    }

    /// What it prints goes there: that it is ready is then seen by [`Setup::start_unheard`] only.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdout = Some(to.into());
        self
    }

    /// Calls `before` in the new process, before it becomes chatd.
    pub fn before(mut self, before: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.before.push(Box::new(before));
        self
    }

    fn spawn(self) -> (Child, Arc<Scratch>) {
        let mut command = Command::new(&self.program);
        command.args(["--cores", &self.cores.to_string(), "--port", &self.port.to_string()]);
        command.arg("--data").arg(self.directory.as_deref().unwrap_or(self.data.path()));
        command.args(["--admin", &self.admin]);
        if let Some(cost) = self.cost {
            command.args(["--password-cost", cost]);
        }
        command.args(self.arguments);
        // What somebody has exported here is not the test's; the tests' own variables do no harm.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("CHATD_") {
                command.env_remove(variable);
            }
        }
        command.envs(self.environment);
        command.stdin(Stdio::null());
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped));
        command.stderr(self.stderr.unwrap_or_else(Stdio::piped));
        let mut before = self.before;
        let prepare = move || {
            // Tests that are run under nohup are no less tests of what SIGHUP does.
            // SAFETY: a system call on numbers.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
            before.iter_mut().try_for_each(|before| before())?;
            // No chatd outlives the thread that started it, however that ends.
            // SAFETY: a system call on numbers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            Ok(())
        };
        // SAFETY: what is called between fork and exec allocates nothing and takes no lock.
        unsafe { command.pre_exec(prepare) };
        (command.spawn().expect("chatd can be started"), self.data)
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Chatd {
        Self::start_together([self]).remove(0)
    }

    /// Starts it and waits until it takes connections, whatever it says or does not say.
    pub fn start_unheard(self) -> Chatd {
        let (child, data) = self.spawn();
        let mut chatd = Chatd::new(child, data);
        let end = Instant::now() + DEADLINE;
        loop {
            assert!(chatd.lives(), "it goes on");
            assert!(Instant::now() < end, "waited for chatd to listen");
            if let Some(address) = chatd.listens_at() {
                chatd.door.address = address;
                return chatd;
            }
            std::thread::yield_now();
        }
    }

    /// Starts several at once, and waits until all are ready.
    pub fn start_together(setups: impl IntoIterator<Item = Self>) -> Vec<Chatd> {
        let spawn = |setup: Self| (setup.listening, setup.spawn());
        let spawned: Vec<_> = setups.into_iter().map(spawn).collect();
        let attend = |(listening, (child, data))| match Chatd::attend(child, data, listening) {
            Ok(chatd) => chatd,
            Err(chatd) => panic!("waited for the line `ready ADDR:PORT`: {}", chatd.printed()),
        };
        spawned.into_iter().map(attend).collect()
    }

    /// Starts what may come up or not.
    pub fn start_or_fail(self) -> Result<Chatd, Failure> {
        let (child, data) = self.spawn();
        Chatd::attend(child, data, Listening::ToTheEnd).map_err(|mut chatd| {
            let status = chatd.wait();
            let text = |lines: Vec<String>| lines.iter().map(|line| line.clone() + "\n").collect();
            Failure { status, stdout: text(chatd.stdout_lines()), stderr: text(chatd.stderr_lines()) }
        })
    }

    /// Starts what is not going to come up; what it says until it ends.
    pub fn fail(self) -> Failure {
        self.fail_after(|_| ())
    }

    /// The same, once something was done to the process; what that gave is kept until it has ended.
    pub fn fail_after<T>(self, meanwhile: impl FnOnce(u32) -> T) -> Failure {
        let (mut child, _data) = self.spawn();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        // One that does come up would never end by itself.
        let pid = child.id();
        let (ended, end) = mpsc::channel();
        let guard = std::thread::spawn(move || {
            if end.recv_timeout(DEADLINE).is_err() {
                signal(pid, libc::SIGKILL);
            }
        });
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let kept = meanwhile(pid);
        let mut text = String::new();
        let mut ready = false;
        for line in BufReader::new(&mut stdout).lines().map_while(Result::ok) {
            if line.starts_with("ready ") {
                ready = true;
                signal(pid, libc::SIGKILL);
            }
            text += &(line + "\n");
        }
        let status = child.wait().expect("a child can be waited for");
        drop(kept);
        let _ = ended.send(());
        guard.join().unwrap();
        let failure = Failure { status, stdout: text, stderr: reader.join().unwrap() };
        assert!(!ready, "chatd was to refuse to start, and is ready: {failure:?}");
        failure
    }
}

/// A chatd that did not start.
#[derive(Debug)]
pub struct Failure {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Failure {
    /// It said one clear sentence with all of `words` in it, and ended without a panic.
    pub fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in what it said: {self:#?}");
        }
        assert!(self.status.signal().is_none() && self.status.code() != Some(0), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "a panic is not an explanation: {self:#?}");
        assert_eq!(self.stderr.lines().count(), 1, "one sentence: {self:#?}");
        assert!(!self.stdout.contains("ready"), "{self:#?}");
    }
}

/// Who is told what chatd prints.
#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
}

/// A running chatd.
pub struct Chatd {
    child: Child,
    door: Door,
    pub data: Arc<Scratch>,
    stdout: Arc<Heard>,
    stderr: Arc<Heard>,
    readers: Vec<JoinHandle<()>>,
    ended: bool,
}

impl Deref for Chatd {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

/// How long somebody listens to what it prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    ToTheEnd,
    /// Then both pipes are closed.
    UntilReady,
}

fn listen(
    stream: impl Read + Send + 'static,
    heard: Arc<Heard>,
    listening: Listening,
) -> (JoinHandle<()>, Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            heard.lines.lock().unwrap().push(line.clone());
            let ready = line.starts_with("ready ");
            let _ = tell.send(line);
            if ready && listening == Listening::UntilReady {
                break;
            }
        }
    });
    (reader, told)
}

impl Chatd {
    /// On so many cores, with nothing special.
    pub fn start(cores: usize) -> Self {
        Setup::new(cores).start()
    }

    /// The same on a port that nobody else is given while it is away: it is to come back there.
    pub fn start_lasting(cores: usize) -> Self {
        Setup::new(cores).port(super::services::free_port()).start()
    }

    /// One to whom nobody listens yet, and whose address is not known.
    fn new(child: Child, data: Arc<Scratch>) -> Self {
        let (stdout, stderr) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
        let door = Door::new(([0, 0, 0, 0], 0).into(), Vec::new());
        Self { child, door, data, stdout, stderr, readers: Vec::new(), ended: false }
    }

    /// Waits until it is ready; an error if it closes its stdout before.
    fn attend(child: Child, data: Arc<Scratch>, listening: Listening) -> Result<Self, Box<Self>> {
        let mut chatd = Self::new(child, data);
        let out = chatd.child.stdout.take().expect("its stdout was not sent elsewhere");
        let (out_reader, lines) = listen(out, chatd.stdout.clone(), listening);
        chatd.readers.push(out_reader);
        // Closed when this function returns, if nobody is to listen any longer.
        let mut err = chatd.child.stderr.take();
        if let Some(err) = err.take_if(|_| listening == Listening::ToTheEnd) {
            chatd.readers.push(listen(err, chatd.stderr.clone(), listening).0);
        }
        let deadline = Instant::now() + DEADLINE;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix("ready ") {
                        chatd.door.address = address.parse().expect("an address follows `ready`");
                        return Ok(chatd);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Box::new(chatd)),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("waited for the line `ready ADDR:PORT`: {}", chatd.printed())
                }
            }
        }
    }

    /// Everything that it printed so far.
    pub fn printed(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.stdout_lines().join("\n"), self.stderr_lines().join("\n"))
    }

    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.lines.lock().unwrap().clone()
    }

    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.lines.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens for clients on 127.0.0.1, if it does already. One with an admin address has two such places.
    fn listens_at(&self) -> Option<SocketAddr> {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).ok()?.flatten();
        let files: Vec<_> = files.filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.pid())).ok()?;
        table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let socket = format!("socket:[{}]", fields.get(9)?);
            let listens = fields[3] == "0A" && files.iter().any(|file| file.as_os_str() == socket.as_str());
            let port = u16::from_str_radix(fields[1].strip_prefix("0100007F:")?, 16).ok()?;
            listens.then(|| ([127, 0, 0, 1], port).into())
        })
    }

    /// No file of it may grow beyond so many bytes from now on.
    pub fn limit_files(&self, bytes: libc::rlim_t) {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        let pid = self.pid() as libc::pid_t;
        // SAFETY: the limit is read during the call.
        let set = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut()) };
        assert_eq!(set, 0);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal_number: i32) {
        signal(self.child.id(), signal_number);
    }

    /// Stops it from running, until `thaw`: what happens to its sockets meanwhile waits for it.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it is there");
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        };
        while !stopped() {
            std::thread::yield_now();
        }
    }

    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> ExitStatus {
        let pid = self.child.id();
        let (ended, end) = mpsc::channel();
        let guard = std::thread::spawn(move || {
            let late = end.recv_timeout(DEADLINE).is_err();
            if late {
                signal(pid, libc::SIGKILL);
            }
            late
        });
        let status = self.child.wait().expect("a child can be waited for");
        let _ = ended.send(());
        self.ended = true;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        assert!(!guard.join().unwrap(), "waited for chatd to end: {}", self.printed());
        status
    }

    /// Ends it in the way that `signal_number` asks for, and checks that it ends so.
    pub fn end(&mut self, signal_number: i32) {
        self.signal(signal_number);
        let status = self.wait();
        if signal_number == libc::SIGKILL {
            assert_eq!(status.signal(), Some(libc::SIGKILL));
        } else {
            assert_eq!(status.code(), Some(0), "a clean end: {}", self.printed());
        }
    }

    /// Ends it and starts another one on the same data.
    pub fn restart(mut self, signal_number: i32, cores: usize) -> Self {
        self.end(signal_number);
        Setup::new(cores).data(&self.data).start()
    }

    /// Starts another one on the data of this one, which was killed.
    pub fn after_kill(mut self, cores: usize) -> Self {
        assert_eq!(self.wait().signal(), Some(libc::SIGKILL));
        Setup::new(cores).data(&self.data).start()
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_none()
    }
}

fn signal(pid: u32, signal_number: i32) {
    // SAFETY: a system call on numbers; the child is not waited for yet, so the id is its own.
    unsafe { libc::kill(pid as libc::pid_t, signal_number) };
}

impl Drop for Chatd {
    fn drop(&mut self) {
        let died = !self.ended && !self.lives();
        if !self.ended {
            self.signal(libc::SIGKILL);
            let _ = self.child.wait();
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let printed = self.printed();
        if std::thread::panicking() {
            eprintln!("chatd (died by itself: {died}) printed:\n{printed}");
            return;
        }
        assert!(!died, "chatd died: {printed}");
        assert!(!printed.contains("panicked"), "chatd panicked: {printed}");
        assert!(!printed.contains(SECRET), "chatd printed a secret: {printed}");
    }
}
