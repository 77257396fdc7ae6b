//! Logins of another application's users: what a login costs that is a signature and no password.
//!
//! Two chatd, one that believes a public key (EdDSA) and one that shares a secret (HS256), driven in turn. Every login is a
//! connection of its own, of a user who is known, and it ends when it is answered.

use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Ending;
use super::bench::{Bench, Rank, Times};
use super::file::Scenario;
use super::finish::{self, Finish, finish};
use super::settings::{Loop, Settings, Sides};
use super::visits::Visitors;
use crate::cli;
use crate::load::{self, Stay};
use crate::measure::Figures;
use crate::plan::Arrival;
use crate::report::{Compared, Ratio, SideFigures, Spread};
use crate::target::{ChatdOptions, Cpus, Target};
use crate::wire::{self, Application};

/// Server CPU of a login at most: 5,000 logins a second on one core.
const CPU_US_MOST: f64 = 200.0;
/// Longer than any run.
const GOOD_FOR_S: u64 = 86_400;

/// One chatd, and the users of the application that it believes.
struct Side {
    algorithm: &'static str,
    target: Target,
    visitors: Visitors,
    rounds: Vec<Figures>,
}

pub fn jwt(flags: &cli::Jwt, stop: &AtomicBool) -> Result<Ending, String> {
    let settings = settings(&flags.load)?;
    let outputs = finish::outputs(&flags.outputs)?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let applications = [Application::eddsa(), Application::hs256()];
    let sides = applications.iter().map(|application| Side::start(application, &settings, &bench));
    let mut sides = sides.collect::<Result<Vec<Side>, String>>()?;
    for round in 0..settings.rounds {
        bench.progress.line(&format!("round {} of {}", round + 1, settings.rounds));
        for number in [round as usize % 2, (round as usize + 1) % 2] {
            sides[number].round(&settings, &bench, round)?;
            bench.fail_if_stopped()?;
        }
    }
    let figures: Vec<SideFigures> = sides.into_iter().map(|side| side.figures(&settings)).collect();
    let compared = Ratio::of(&figures[0], &figures[1]).map_or(Compared::Nothing, Compared::Cpu);
    let said: Vec<String> = figures.iter().filter_map(verdict).collect();
    let ending =
        finish(&settings, &bench, Finish { is_pinned: true, frame_bytes: 0, outputs }, figures, compared);
    said.iter().for_each(|line| println!("{line}"));
    ending
}

fn settings(load: &cli::Load) -> Result<Settings, String> {
    let mut scenario = Scenario::open("logins")?;
    scenario.name = "jwt".into();
    scenario.put("what", "users of another application who log in with a jwt, and leave");
    scenario.put("logins", 5_000);
    scenario.put("users", 5_000);
    scenario.put("sources", 16);
    scenario.put("v2", true);
    let mut settings = Settings::new(load.applied_to(scenario)?, Sides::TwoInterleaved, load.waiting)?;
    if settings.tls.is_some() {
        return Err(
            "logins with a jwt are measured in clear text; what TLS costs is `run resume --tls`".into()
        );
    }
    settings.load_loop = Loop::Open { rate_per_s: settings.logins_per_s, arrival: Arrival::Poisson };
    Ok(settings)
}

impl Side {
    /// Starts the server, and has each user come once, which makes it.
    fn start(application: &Application, settings: &Settings, bench: &Bench) -> Result<Side, String> {
        let options = ChatdOptions {
            more: Application::arguments().to_vec(),
            files: vec![application.key_file()],
            ..settings.chatd_options()
        };
        let target = Target::start_chatd(&options, &bench.cpus.server, bench.stop)?;
        let users = settings.users.unwrap_or(settings.logins_per_s as u32).max(1);
        bench.progress.line(&format!("{users} users come for the first time"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let login = |user: u32| {
            let token = application.token(&format!("u-{user}"), now + GOOD_FOR_S);
            wire::login_with_jwt(&token, settings.message.dialect)
        };
        let logins: Vec<Vec<u8>> = (0..users).map(login).collect();
        load::visit(&target.door, &logins, bench.stop)?;
        let visitors = Visitors::of(logins.into_iter().map(|login| (login, 0)), Stay::Leave);
        Ok(Side { algorithm: application.algorithm, target, visitors, rounds: Vec::new() })
    }

    fn round(&mut self, settings: &Settings, bench: &Bench, round: u32) -> Result<(), String> {
        let plan = self.visitors.plan(settings, settings.seed.wrapping_add(u64::from(round) << 32))?;
        let times = Times { lead_ns: settings.lead_ns(), duration_ns: settings.duration_ns };
        let jobs = vec![self.visitors.job(&self.target, &plan, Rank::Main)];
        self.rounds.push(bench.measure(&self.target, None, times, jobs)?.figures);
        Ok(())
    }

    fn figures(self, settings: &Settings) -> SideFigures {
        SideFigures {
            unit: "login",
            asked: format!("{:.0} a second", settings.logins_per_s),
            latency_is: "from intended arrival to the answer",
            ..SideFigures::new(self.algorithm, self.target.description(), self.rounds)
        }
    }
}

/// What a login of this side costs, and what is asked. `None` where the server's CPU is not known.
fn verdict(side: &SideFigures) -> Option<String> {
    let each: Vec<f64> = side.rounds.iter().filter_map(Figures::cpu_us_each).collect();
    let Spread { median, quartile_1, quartile_3, .. } = Spread::of(&each)?;
    let kept = if median <= CPU_US_MOST { "kept" } else { "MISSED" };
    Some(format!(
        "{:<6} {median:.1} µs of CPU a login (quartiles {quartile_1:.1}–{quartile_3:.1}), which is {:.0} a second a core; \
         at most {CPU_US_MOST:.0} µs: {kept}",
        side.name,
        1e6 / median
    ))
}
