//! People who come: to stay, to drain what waits for them, or to leave at once.

use super::bench::{Bench, Job, Rank, Work};
use super::settings::Settings;
use crate::load::{self, Pace, Stay, Storm, Visit, run_storm};
use crate::measure::Live;
use crate::plan::{Arrival, Plan, Wish};
use crate::target::Target;

/// Users who are registered and not connected, and how they behave.
pub struct Visitors {
    visits: Vec<Visit>,
    stay: Stay,
    live: Live,
}

/// Those who come and go are back after so long at the earliest, when the server knows that they have left.
const ABSENCE_S: f64 = 10.0;

impl Visitors {
    /// Registers as many as come and go at the settings' rate.
    pub fn register(target: &Target, settings: &Settings, bench: &Bench) -> Result<Visitors, String> {
        let count = settings.users.unwrap_or((settings.logins_per_s * ABSENCE_S).ceil() as u32).max(1);
        let speakers = load::register(&target.door, &load::name_prefix(), count as usize, bench.stop)?;
        let dialect = settings.message.dialect;
        let logins = speakers.into_iter().map(|speaker| (load::login(&speaker, dialect), 0));
        Ok(Visitors::of(logins, Stay::Leave))
    }

    /// What each user says to log in, with how many messages wait for it.
    pub fn of(users: impl Iterator<Item = (Vec<u8>, u32)>, stay: Stay) -> Visitors {
        let visit = |(user, (login, messages))| Visit { user, login, messages };
        Visitors { visits: users.enumerate().map(visit).collect(), stay, live: Live::new() }
    }

    /// When they come; those who stay come once.
    pub fn plan(&self, settings: &Settings, seed: u64) -> Result<Plan, String> {
        let (visits, rate_per_s) = (self.visits.len(), settings.logins_per_s);
        let arrival = match settings.load_loop {
            super::settings::Loop::Open { arrival, .. } => arrival,
            super::settings::Loop::Closed { .. } => Arrival::Poisson,
        };
        let wish = |duration_ns| Wish {
            rate_per_s,
            talks: 0..1,
            duration_ns,
            ramp_ns: settings.ramp_ns,
            arrival,
            seed: seed ^ 0x7669_7369_7473,
        };
        match self.stay {
            Stay::Leave => Plan::lay_out(&[wish(settings.lead_ns() + settings.duration_ns)]),
            Stay::UntilTheEnd => {
                // Longer than needed, and cut.
                let enough_s = visits as f64 / rate_per_s * 1.5 + 1.0;
                let plan = Plan::lay_out(&[wish((enough_s * 1e9) as u64 + settings.ramp_ns)])?;
                Ok(plan.first(visits))
            }
        }
    }

    pub fn job<'a>(&'a self, target: &'a Target, plan: &'a Plan, rank: Rank) -> Job<'a> {
        let arrivals = plan.sends();
        let storm = Storm { door: &target.door, visits: &self.visits, stay: self.stay, arrivals };
        let work: Work = Box::new(move |orders| run_storm(&storm, orders));
        Job { pace: Pace::Open(&[]), live: &self.live, rank, work }
    }
}
