//! The flags that say what load there is; each takes the place of what a scenario's file says.

use clap::Args;

use crate::load::{Handshake, Waiting};
use crate::plan::Arrival;
use crate::scenarios::file::Scenario;
use crate::target::Precedence;

#[derive(Args)]
pub struct Load {
    /// Messages a second over all senders, open loop: latency counts from the intended send time
    #[arg(long, conflicts_with = "closed")]
    pub rate: Option<f64>,
    /// How the sends of a sender are spaced
    #[arg(long, value_enum, conflicts_with = "closed")]
    pub arrival: Option<Arrival>,
    /// Closed loop: the next message leaves when one has been heard
    #[arg(long)]
    pub closed: bool,
    /// Closed loop: messages under way a sender
    #[arg(long, requires = "closed")]
    pub under_way: Option<u32>,
    /// Pairs of a sender and a receiver
    #[arg(long)]
    pub pairs: Option<u32>,
    /// Users: two a pair, or members of groups, or whoever the scenario is about
    #[arg(long, conflicts_with = "pairs")]
    pub users: Option<u32>,
    /// Members of each group
    #[arg(long)]
    pub members: Option<u32>,
    /// Logins a second, where the scenario has any
    #[arg(long)]
    pub logins: Option<f64>,
    /// Bytes of message text; the default makes frames of about 128 bytes
    #[arg(long)]
    pub size: Option<usize>,
    /// Ask for an acknowledgement of every message, and measure it apart
    #[arg(long)]
    pub ack: bool,
    /// Speak the second dialect, v2: log in with "v":2, confirm what was heard, and answer pings
    #[arg(long)]
    pub v2: bool,
    /// Speak WebSocket to chatd
    #[arg(long)]
    pub ws: bool,
    /// Speak TLS to chatd, also beneath WebSocket: handshakes in full unless they are said to be resumed
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "full")]
    pub tls: Option<Handshake>,
    /// Seconds measured, a round [default: 10, or 2 with --vs]
    #[arg(long)]
    pub duration: Option<f64>,
    /// Seconds of warm-up before each round is measured [default: 1, or 0.5 with --vs]
    #[arg(long)]
    pub warmup: Option<f64>,
    /// Seconds in which the rate climbs from nothing, before the warm-up
    #[arg(long)]
    pub ramp: Option<f64>,
    /// Rounds [default: 1, or 7 with --vs]
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Seed of the plan of send times
    #[arg(long)]
    pub seed: Option<u64>,
    /// Come from so many addresses, 127.0.0.1 and on
    #[arg(long)]
    pub sources: Option<u32>,
    /// Cores of the chatd that this run starts
    #[arg(long)]
    pub server_cores: Option<u32>,
    /// Threads of the generator, each with its share of the users [default: a CPU each, up to four]
    #[arg(long)]
    pub load_threads: Option<u32>,
    /// What a load thread does while nothing is due
    #[arg(long, value_enum, default_value_t = Waiting::Sleep)]
    pub waiting: Waiting,
    /// How servers and load stand to everything else on the machine
    #[arg(long, value_enum, default_value_t = Precedence::Nice)]
    pub precedence: Precedence,
    /// Anything else that a scenario's file may say; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Load {
    /// The scenario with what was typed in place of what its file says.
    pub fn applied_to(&self, mut scenario: Scenario) -> Result<Scenario, String> {
        self.set.iter().try_for_each(|line| scenario.set(line))?;
        if self.closed {
            scenario.put("closed", true);
        }
        if self.v2 {
            scenario.put("v2", true);
        }
        if self.ws {
            scenario.put("ws", true);
        }
        scenario.put_if("tls", self.tls.map(Handshake::word));
        if self.ack {
            scenario.put("ack", true);
        }
        scenario.put_if("rate", self.rate);
        scenario.put_if("arrival", self.arrival.map(Arrival::word));
        scenario.put_if("under_way", self.under_way);
        scenario.put_if("pairs", self.pairs);
        scenario.put_if("users", self.users);
        scenario.put_if("members", self.members);
        scenario.put_if("logins", self.logins);
        scenario.put_if("size", self.size);
        scenario.put_if("duration", self.duration);
        scenario.put_if("warmup", self.warmup);
        scenario.put_if("ramp", self.ramp);
        scenario.put_if("rounds", self.rounds);
        scenario.put_if("seed", self.seed);
        scenario.put_if("sources", self.sources);
        scenario.put_if("server_cores", self.server_cores);
        Ok(scenario)
    }
}
