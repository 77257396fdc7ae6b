//! What is meant, made from what a scenario and the command line say: checked, with every default settled.

use super::file::Scenario;
use crate::load::{Crowd, Groups, Handshake, Message, SOURCES_MAX, Secrecy, Waiting};
use crate::plan::{Arrival, Wish};
use crate::target::{ChatdOptions, Through};
use crate::wire::{Acks, Dialect, Framing, STAMP_BYTES};

/// Whether the load follows a plan or the answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Loop {
    Open { rate_per_s: f64, arrival: Arrival },
    Closed { under_way: u32 },
}

/// Whether a comparison is made, which settles the defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sides {
    One,
    TwoInterleaved,
}

/// What kind of work a scenario is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Talk,
    Backlog,
    Logins,
    /// Users who were cut off come back with their tokens.
    Resumptions,
    Idle,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub name: String,
    pub what: String,
    pub work: Work,
    pub load_loop: Loop,
    pub crowd: Crowd,
    /// Of the rate: pairs, groups, absent readers.
    shares: [f64; 3],
    pub logins_per_s: f64,
    /// How many come and go, or come; decided by time and rate if not said.
    pub users: Option<u32>,
    pub message: Message,
    pub duration_ns: u64,
    pub warmup_ns: u64,
    pub ramp_ns: u64,
    pub rounds: u32,
    pub seed: u64,
    pub server_cores: usize,
    /// How many addresses are needed.
    pub servers: usize,
    /// By which way users come into a cluster that is started for this.
    pub through: Through,
    pub sources: u32,
    /// How chatd is spoken to.
    pub framing: Framing,
    /// How handshakes are made, if it is spoken to in TLS.
    pub tls: Option<Handshake>,
    pub waiting: Waiting,
}

const TEXT_BYTES_MAX: usize = 16 * 1024;
const SECONDS_MAX: f64 = 3_600.0;
/// A talk's number has five hexadecimal digits in a stamp.
const TALKS_MAX: u32 = 1 << 20;

impl Settings {
    pub fn new(mut scenario: Scenario, sides: Sides, waiting: Waiting) -> Result<Settings, String> {
        let scenario = &mut scenario;
        let (duration_s, warmup_s, rounds) = match sides {
            Sides::One => (10.0, 1.0, 1),
            Sides::TwoInterleaved => (2.0, 0.5, 7),
        };
        let size = scenario.take("size", 34)?;
        if !(STAMP_BYTES..=TEXT_BYTES_MAX).contains(&size) {
            return Err(format!(
                "--size must be {STAMP_BYTES} to {TEXT_BYTES_MAX}: the text carries a stamp of {STAMP_BYTES} bytes"
            ));
        }
        let work = work(&scenario.take("kind", String::new())?)?;
        let (crowd, users) = crowd(scenario, work)?;
        let servers = scenario.take("servers", 1)?;
        let settings = Settings {
            name: scenario.name.clone(),
            what: scenario.take("what", String::new())?,
            work,
            load_loop: load_loop(scenario)?,
            crowd,
            shares: [
                scenario.take("pairs_share", 1.0)?,
                scenario.take("groups_share", 1.0)?,
                scenario.take("absent_share", 1.0)?,
            ],
            logins_per_s: scenario.take("logins", 0.0)?,
            users,
            message: Message {
                text_bytes: size,
                time: jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string(),
                acks: if scenario.take("ack", false)? { Acks::Asked } else { Acks::NotAsked },
                dialect: if scenario.take("v2", false)? { Dialect::V2 } else { Dialect::Seed },
            },
            duration_ns: seconds("--duration", scenario.take("duration", duration_s)?, 0.01)?,
            warmup_ns: seconds("--warmup", scenario.take("warmup", warmup_s)?, 0.0)?,
            ramp_ns: seconds("--ramp", scenario.take("ramp", 0.0)?, 0.0)?,
            rounds: bounded("--rounds", scenario.take("rounds", rounds)?, 1_000)?,
            seed: scenario.take("seed", 1)?,
            server_cores: bounded("--server-cores", scenario.take("server_cores", 1)?, 1_024)? as usize,
            servers,
            through: through(servers, &scenario.take("through", String::new())?)?,
            sources: scenario.take("sources", 0)?,
            framing: if scenario.take("ws", false)? { Framing::WebSocket } else { Framing::Lines },
            tls: tls(&scenario.take("tls", String::new())?)?,
            waiting,
        };
        scenario.take("needs", String::new())?;
        scenario.clone().end()?;
        settings.checked()
    }

    fn checked(self) -> Result<Settings, String> {
        if self.crowd.talks() > TALKS_MAX {
            return Err(format!("{} talks are too many: at most {TALKS_MAX}", self.crowd.talks()));
        }
        if matches!(self.work, Work::Talk | Work::Backlog) && self.crowd.talks() == 0 {
            return Err(format!("scenario {}: nobody talks", self.name));
        }
        if self.sources > SOURCES_MAX {
            return Err(format!("--sources must be at most {SOURCES_MAX}"));
        }
        Ok(self)
    }

    /// The plan of one load thread: its share of every kind of talk.
    pub fn wishes(&self, crowd: &Crowd, rate_per_s: f64, arrival: Arrival, seed: u64) -> Vec<Wish> {
        let [pairs, groups, absent] = self.shares;
        // Weighed with how many there are in this thread and in all.
        let parts = [
            (pairs, crowd.pair_talks(), self.crowd.pair_talks().len()),
            (groups, crowd.group_talks(), self.crowd.group_talks().len()),
            (absent, crowd.absent_talks(), self.crowd.absent_talks().len()),
        ];
        let all: f64 = parts.iter().filter(|part| part.2 > 0).map(|part| part.0).sum();
        let parts = parts.into_iter().filter(|part| !part.1.is_empty());
        let wish = |(number, (share, talks, of)): (usize, (f64, std::ops::Range<u32>, usize))| Wish {
            rate_per_s: rate_per_s * share / all * talks.len() as f64 / of as f64,
            talks,
            duration_ns: self.lead_ns() + self.duration_ns,
            ramp_ns: self.ramp_ns,
            arrival,
            seed: seed.wrapping_add((number as u64) << 48),
        };
        parts.enumerate().map(wish).collect()
    }

    /// Whether somebody may say more in a group than chatd takes from one session by itself: a closed loop knows no
    /// bound, and an open one is far from it at a tenth.
    pub fn shouts_in_groups(&self) -> bool {
        let speakers = self.crowd.group_talks().len();
        let rate_per_s = match self.load_loop {
            Loop::Closed { .. } => f64::INFINITY,
            Loop::Open { rate_per_s, .. } => rate_per_s / speakers.max(1) as f64,
        };
        let is_much = rate_per_s > 500.0 || rate_per_s * (self.message.text_bytes as f64 + 160.0) > 100_000.0;
        speakers > 0 && is_much
    }

    /// How a chatd is started that is driven so: in clear, with passwords that cost nothing, and told nothing else.
    pub fn chatd_options(&self) -> ChatdOptions {
        ChatdOptions {
            cores: self.server_cores,
            sources: self.sources,
            framing: self.framing,
            secrecy: Secrecy::Clear,
            password_cost: None,
            more: Vec::new(),
            files: Vec::new(),
            program: None,
        }
    }

    /// Before the measured window.
    pub fn lead_ns(&self) -> u64 {
        self.ramp_ns + self.warmup_ns
    }

    pub fn rate_per_s(&self) -> Option<f64> {
        match self.load_loop {
            Loop::Open { rate_per_s, .. } => Some(rate_per_s),
            Loop::Closed { .. } => None,
        }
    }

    pub fn loop_words(&self) -> String {
        let waiting = match self.waiting {
            Waiting::Sleep => "",
            Waiting::Spin => ", the load thread never sleeps",
        };
        match self.load_loop {
            Loop::Open { rate_per_s, arrival } => {
                let what = match self.work {
                    Work::Logins => "logins",
                    Work::Resumptions => "resumptions",
                    _ => "messages",
                };
                format!("open loop, {} arrivals, {rate_per_s:.0} {what}/s asked{waiting}", arrival.word())
            }
            Loop::Closed { under_way } => format!("closed loop, {under_way} under way a sender{waiting}"),
        }
    }

    pub fn crowd_words(&self) -> String {
        let Crowd { pairs, groups: Groups { count, members, speakers }, to_absent, idle } = self.crowd;
        let arrive = matches!(self.work, Work::Logins | Work::Resumptions);
        let users = if arrive { self.users.unwrap_or(1) } else { 0 };
        let parts = [
            (users, "users who arrive one by one".into()),
            (pairs, format!("{pairs} pairs")),
            (count, format!("{count} group(s) of {members}, {speakers} of each speak")),
            (to_absent, format!("{to_absent} senders to users who are away")),
            (idle, format!("{idle} idle users")),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| part.0 > 0).map(|part| part.1).collect();
        parts.join(", ")
    }
}

fn through(servers: usize, word: &str) -> Result<Through, String> {
    match (word, servers) {
        ("nginx", _) => Ok(Through::Nginx),
        ("", 0 | 1) => Ok(Through::OneServer),
        ("", _) => Ok(Through::BothServers),
        (other, _) => {
            Err(format!("through = {other}: users come through nginx, or to the servers themselves"))
        }
    }
}

fn tls(word: &str) -> Result<Option<Handshake>, String> {
    let known = [Handshake::Full, Handshake::Resumed];
    match known.into_iter().find(|handshake| handshake.word() == word) {
        None if word.is_empty() => Ok(None),
        None => Err(format!("tls = {word}: handshakes are full or resumed")),
        known => Ok(known),
    }
}

fn work(kind: &str) -> Result<Work, String> {
    match kind {
        "talk" => Ok(Work::Talk),
        "backlog" => Ok(Work::Backlog),
        "logins" => Ok(Work::Logins),
        "resume" => Ok(Work::Resumptions),
        "idle" => Ok(Work::Idle),
        other => Err(format!("no harness knows how to do \"{other}\"")),
    }
}

fn load_loop(scenario: &mut Scenario) -> Result<Loop, String> {
    let is_closed = scenario.take("closed", false)?;
    let under_way = scenario.take("under_way", 1)?;
    let rate_per_s = scenario.take("rate", 10_000.0)?;
    let arrival = match scenario.take("arrival", "poisson".to_owned())?.as_str() {
        "poisson" => Arrival::Poisson,
        "uniform" => Arrival::Uniform,
        other => return Err(format!("arrival cannot be {other}: poisson or uniform")),
    };
    if is_closed {
        return Ok(Loop::Closed { under_way: bounded("--under-way", under_way, 100_000)? });
    }
    Ok(Loop::Open { rate_per_s, arrival })
}

/// Who is there. `--users` means what the scenario has users for.
fn crowd(scenario: &mut Scenario, work: Work) -> Result<(Crowd, Option<u32>), String> {
    let mut users: Option<u32> = scenario.take_if("users")?;
    let groups = scenario.take("groups", 0)?;
    let members: u32 = scenario.take("members", 10)?;
    let mut crowd = Crowd {
        pairs: scenario.take("pairs", 0)?,
        groups: Groups { count: groups, members, speakers: scenario.take("speakers", members)?.min(members) },
        to_absent: scenario.take("absent", 0)?,
        idle: scenario.take("idle", 0)?,
    };
    if groups > 0 && members < 2 {
        return Err("a group has two members at least".into());
    }
    if let (Some(count), true) = (users, matches!(work, Work::Talk | Work::Backlog)) {
        users = None;
        match (work, crowd.groups.count > 0) {
            (Work::Talk, false) if !count.is_multiple_of(2) => {
                return Err(format!("{count} users do not make pairs: --users must be even"));
            }
            (Work::Talk, false) => crowd.pairs = count / 2,
            (Work::Talk, true) => crowd.groups.count = (count / members).max(1),
            _ => crowd.to_absent = count / 2,
        }
    }
    Ok((crowd, users))
}

fn bounded(flag: &str, value: u32, most: u32) -> Result<u32, String> {
    if (1..=most).contains(&value) { Ok(value) } else { Err(format!("{flag} must be 1 to {most}")) }
}

/// Seconds as typed, in nanoseconds.
pub fn seconds(flag: &str, value_s: f64, least_s: f64) -> Result<u64, String> {
    if !(least_s..=SECONDS_MAX).contains(&value_s) {
        return Err(format!("{flag} must be {least_s} to {SECONDS_MAX} seconds"));
    }
    Ok((value_s * 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shouts_in_a_group_is_known() {
        let shouts = |name: &str, set: &[&str]| {
            let mut scenario = Scenario::open(name).unwrap();
            set.iter().for_each(|line| scenario.set(line).unwrap());
            Settings::new(scenario, Sides::One, Waiting::Sleep).unwrap().shouts_in_groups()
        };
        assert!(!shouts("groups-10", &[]) && !shouts("groups-100", &[]) && !shouts("groups-1000", &[]));
        assert!(shouts("groups-10", &["closed=true"]) && !shouts("direct", &["closed=true"]));
        let few = ["groups=1", "members=2", "speakers=1", "rate=400"];
        assert!(!shouts("groups-10", &few) && shouts("groups-10", &[&few[..], &["size=1000"]].concat()));
        assert!(shouts("groups-10", &[&few[..3], &["rate=600"]].concat()));
    }

    #[test]
    fn every_scenario_means_something() {
        for scenario in Scenario::all().filter(|scenario| scenario.get("kind") != Some("none")) {
            let name = scenario.name.clone();
            Settings::new(scenario, Sides::One, Waiting::Sleep)
                .unwrap_or_else(|reason| panic!("{name}: {reason}"));
        }
    }

    #[test]
    fn a_mixed_day_is_mixed_as_it_says_whatever_the_threads() {
        let day = Settings::new(Scenario::open("day").unwrap(), Sides::One, Waiting::Sleep).unwrap();
        for threads in [1, 3] {
            let parts = day.crowd.split(threads);
            let wishes: Vec<Wish> =
                parts.iter().flat_map(|part| day.wishes(part, 1_000.0, Arrival::Poisson, 1)).collect();
            let rate = |number: usize| -> f64 {
                wishes.iter().skip(number).step_by(3).map(|wish| wish.rate_per_s).sum()
            };
            let rates = [rate(0), rate(1), rate(2)];
            for (rate, expected) in rates.into_iter().zip([870.0, 80.0, 50.0]) {
                assert!((rate - expected).abs() < 1e-6, "{rates:?}");
            }
        }
    }

    #[test]
    fn users_are_what_the_scenario_has_users_for() {
        let crowd = |name: &str, users: u32| {
            let mut scenario = Scenario::open(name).unwrap();
            scenario.put("users", users);
            Settings::new(scenario, Sides::One, Waiting::Sleep)
                .map(|settings| (settings.crowd, settings.users))
        };
        assert_eq!(crowd("direct", 10).unwrap().0.pairs, 5);
        assert!(crowd("direct", 11).is_err());
        assert_eq!(crowd("groups-100", 300).unwrap().0.groups.count, 3);
        assert_eq!(crowd("idle", 300).unwrap().1, Some(300));
    }
}
