//! One server with the people that are connected to it, ready for round after round.
//!
//! Two of them make a comparison. Both stay up and connected the whole time, so that rounds differ in nothing but
//! who is driven; an idle server's CPU is watched and reported.

use super::bench::{Bench, Job, Measured, Rank, Times, Work};
use super::settings::{Loop, Settings};
use super::visits::Visitors;
use crate::load::{Crowd, Fleet, Pace, run_round};
use crate::measure::{Live, Processes};
use crate::plan::Plan;
use crate::target::Target;
use crate::wire::Speaker;

/// The people of one load thread.
struct Company {
    crowd: Crowd,
    fleet: Fleet,
    speakers: Vec<Speaker>,
    live: Live,
}

/// Dropped in this order: everybody leaves before the server is stopped.
pub struct Side {
    companies: Vec<Company>,
    visitors: Option<Visitors>,
    pub target: Target,
}

impl Side {
    pub fn connect(target: Target, settings: &Settings, bench: &Bench) -> Result<Side, String> {
        let threads = (bench.cpus.load.len() as u32).min(settings.crowd.talks()).max(1);
        let mut companies = Vec::new();
        for crowd in settings.crowd.split(threads) {
            let (fleet, speakers) = target.connect(&crowd, &settings.message, bench.stop)?;
            companies.push(Company { crowd, fleet, speakers, live: Live::new() });
        }
        let visitors = match settings.logins_per_s > 0.0 && settings.work == super::settings::Work::Talk {
            true => Some(Visitors::register(&target, settings, bench)?),
            false => None,
        };
        Ok(Side { companies, visitors, target })
    }

    pub fn frame_bytes(&self) -> usize {
        self.companies.iter().map(|company| company.fleet.frame_bytes()).max().unwrap_or(0)
    }

    /// Drives one round as the settings say.
    pub fn round(
        &mut self,
        settings: &Settings,
        bench: &Bench,
        round: u32,
        other: Option<&Processes>,
    ) -> Result<Measured, String> {
        self.round_at(settings, settings.load_loop, bench, round, other)
    }

    /// Drives one round, with this beside it.
    pub fn round_beside(
        &mut self,
        settings: &Settings,
        bench: &Bench,
        round: u32,
        beside: Vec<Job>,
    ) -> Result<Measured, String> {
        self.drive(settings, settings.load_loop, bench, round, None, beside)
    }

    /// Drives one round, at this pace.
    pub fn round_at(
        &mut self,
        settings: &Settings,
        load_loop: Loop,
        bench: &Bench,
        round: u32,
        other: Option<&Processes>,
    ) -> Result<Measured, String> {
        self.drive(settings, load_loop, bench, round, other, Vec::new())
    }

    fn drive(
        &mut self,
        settings: &Settings,
        load_loop: Loop,
        bench: &Bench,
        round: u32,
        other: Option<&Processes>,
        beside: Vec<Job>,
    ) -> Result<Measured, String> {
        let seed = settings.seed.wrapping_add(u64::from(round) << 32);
        let plans: Result<Vec<Option<Plan>>, String> = self
            .companies
            .iter()
            .zip(0..)
            .map(|(company, number): (_, u64)| {
                let Loop::Open { rate_per_s, arrival } = load_loop else { return Ok(None) };
                let seed = seed.wrapping_add(number << 40);
                Plan::lay_out(&settings.wishes(&company.crowd, rate_per_s, arrival, seed)).map(Some)
            })
            .collect();
        let plans = plans?;
        let visits = match &self.visitors {
            Some(visitors) => Some(visitors.plan(settings, seed)?),
            None => None,
        };
        let mut jobs = Vec::new();
        for (company, plan) in self.companies.iter_mut().zip(&plans) {
            let pace = match (plan, load_loop) {
                (Some(plan), _) => Pace::Open(plan.sends()),
                (None, Loop::Closed { under_way }) => Pace::Closed { under_way, messages_max: u64::MAX },
                (None, Loop::Open { .. }) => unreachable!("an open loop has a plan"),
            };
            let (fleet, live) = (&mut company.fleet, &company.live);
            let work: Work = Box::new(move |orders| run_round(fleet, orders));
            jobs.push(Job { pace, live, rank: Rank::Main, work });
        }
        if let (Some(visitors), Some(plan)) = (&self.visitors, &visits) {
            jobs.push(visitors.job(&self.target, plan, Rank::Beside));
        }
        jobs.extend(beside);
        let times = Times { lead_ns: settings.lead_ns(), duration_ns: settings.duration_ns };
        bench.measure(&self.target, other, times, jobs)
    }

    /// Everybody leaves; what they were connected to.
    pub fn empty(self) -> Target {
        let Side { companies, visitors, target } = self;
        drop((companies, visitors));
        target
    }

    /// The readers who were away, each with how many messages wait for it.
    pub fn absent_readers(&self) -> Vec<(Speaker, u32)> {
        let of_one = |company: &Company| {
            let readers = company.speakers[company.crowd.connected()..].iter();
            let talks = company.crowd.absent_talks().map(|talk| &company.fleet.talks[talk as usize]);
            readers.zip(talks).map(|(reader, talk)| (reader.clone(), talk.next_sequence)).collect::<Vec<_>>()
        };
        self.companies.iter().flat_map(of_one).collect()
    }
}
