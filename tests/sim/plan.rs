//! What one seed decides before anything happens: how large the cluster is, how slow its parts
//! are, what will fail, and how tight the limits are.

use super::rng::Rng;
use chatd::chat::model::limits::Limits;
use chatd::chat::model::retention::Retention;

/// A stretch of time, after which everything comes to rest and is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// People come, talk and go; connections break.
    Crowd,
    /// The same, and the store is busy now and then.
    BusyStore,
    /// The same, and the bus refuses now and then.
    BusDown,
    /// The same, and cores lose the bus and get it back: one alone, or all when the broker restarts.
    Cuts,
    /// The same, and servers die or hang; others start in their place.
    Deaths,
    /// The same, and the servers are on two buses for a while, of which nobody tells them.
    Splits,
    /// The same, and single messages and notices are lost without anybody being told.
    Silence,
    /// Several connections log in as one user who is not online, at the same time.
    Contest,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub servers: usize,
    pub cores_of_server: usize,
    pub users: usize,
    pub phases: Vec<Phase>,
    pub phase_us: u64,
    /// Pause of a person between two things it does.
    pub gap_us: u64,
    /// Longest way from a core to a channel's home, and from there to a core.
    pub bus_us: u64,
    /// Longest time until the next commit, for each server's way to the store.
    pub commit_us: Vec<u64>,
    /// Questions that one commit takes.
    pub batch: usize,
    /// Longest way of an answer from the store to the core.
    pub answer_us: u64,
    /// Longest time of a password check.
    pub verify_us: u64,
    /// Longest way of bytes between client and server.
    pub net_us: u64,
    /// Milliseconds by which each server's clock is wrong.
    pub skew_ms: Vec<u64>,
    /// Of a thousand: how often a session ends by a broken connection, stalls, or ends orderly.
    pub breaks: u64,
    pub stalls: u64,
    pub leaves: u64,
    /// Of a thousand: requests with a cid.
    pub cids: u64,
    /// Of a thousand connections: those of the second dialect.
    pub modern: u64,
    /// Of a thousand pairs: those who are friends from the beginning.
    pub friends: u64,
    /// Whether people block each other now and then.
    pub refuses: bool,
    /// Of a thousand: how many people understand friendships, and how often, four times less, they ask for them, answer, and
    /// choose who may write.
    pub consents: u64,
    pub keep: Retention,
    /// Of a thousand questions in a faulty phase: answered with Busy.
    pub busy: u64,
    /// Pause between two faults of a faulty phase, and how long one lasts.
    pub fault_gap_us: u64,
    pub fault_us: u64,
    /// How long a dead or hanging core is taken for alive by the bus.
    pub linger_us: u64,
    /// Of a thousand messages and notices in a phase of silence: lost for one listener.
    pub loss: u64,
    pub limits: Limits,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        let servers = rng.between(1, 3) as usize;
        let mut phases = Vec::new();
        let faults = rng.below(10);
        for _ in 0..rng.between(1, 3) {
            phases.push(match rng.below(8) {
                0..=1 => Phase::Contest,
                2..=4 if faults == 0 => Phase::BusyStore,
                2..=4 if faults == 1 => Phase::BusDown,
                2..=5 if faults == 2 => Phase::Cuts,
                2..=5 if faults == 3 => Phase::Deaths,
                2..=4 if faults == 4 => Phase::Silence,
                2..=5 if faults == 5 => Phase::Splits,
                _ => Phase::Crowd,
            });
        }
        let skewed = rng.chance(150);
        let mut limits = limits(rng);
        if phases.contains(&Phase::Contest) {
            // Every contestant stays until it is answered.
            limits.anonymous = 10_000;
        }
        Self {
            servers,
            cores_of_server: rng.between(1, 2) as usize,
            users: rng.between(2, 6) as usize,
            phases,
            phase_us: rng.pick(&[300_000, 1_000_000, 2_500_000]),
            gap_us: rng.pick(&[3_000, 20_000, 100_000]),
            bus_us: rng.pick(&[300, 4_000, 40_000, 120_000]),
            commit_us: (0..servers).map(|_| rng.pick(&[500, 5_000, 60_000, 300_000])).collect(),
            batch: rng.pick(&[1, 4, 64]),
            answer_us: rng.pick(&[200, 10_000]),
            verify_us: rng.pick(&[1_000, 20_000, 150_000]),
            net_us: rng.pick(&[200, 5_000, 60_000]),
            skew_ms: (0..servers)
                .map(|_| rng.pick(if skewed { &[0, 250, 5_000] } else { &[0, 1, 20] }))
                .collect(),
            breaks: rng.pick(&[0, 20, 80]),
            stalls: rng.pick(&[0, 0, 30]),
            leaves: rng.pick(&[0, 30, 100]),
            cids: rng.pick(&[0, 300, 1_000]),
            modern: rng.pick(&[0, 500, 1_000]),
            friends: rng.pick(&[0, 400]),
            refuses: rng.chance(200),
            consents: rng.pick(&[0, 0, 800]),
            keep: if rng.chance(250) { Retention::Undelivered } else { Retention::All },
            busy: rng.pick(&[50, 300, 900]),
            fault_gap_us: rng.pick(&[50_000, 300_000, 1_000_000]),
            fault_us: rng.pick(&[20_000, 300_000, 2_000_000]),
            linger_us: rng.pick(&[0, 200_000, 1_500_000]),
            loss: rng.pick(&[10, 100]),
            limits,
        }
    }

    /// Whether the order of message ids may differ much from the order of time.
    pub fn is_skewed(&self) -> bool {
        self.skew_ms.iter().any(|&ms| ms > 20)
    }

    /// Whether the bus may lose something in such a phase.
    pub fn loses(phase: Phase) -> bool {
        matches!(phase, Phase::BusDown | Phase::Cuts | Phase::Deaths | Phase::Splits | Phase::Silence)
    }

    /// Whether a user may be online twice in such a phase, until all is well again.
    pub fn parts(phase: Phase) -> bool {
        matches!(phase, Phase::Cuts | Phase::Deaths | Phase::Splits)
    }

    /// Whether that was so in any.
    pub fn has_parted(&self) -> bool {
        self.phases.iter().any(|&phase| Self::parts(phase))
    }

    pub fn cores(&self) -> usize {
        self.servers * self.cores_of_server
    }

    pub fn server_of(&self, core: usize) -> usize {
        core / self.cores_of_server
    }

    /// Longer than a publish and word of who heard it take.
    pub fn round_trip_us(&self) -> u64 {
        4 * self.bus_us + 1_000
    }

    fn slowest_commit_us(&self) -> u64 {
        self.commit_us.iter().copied().max().expect("there is a server")
    }

    /// Longer than anything that was begun takes to be over, as long as nothing fails.
    pub fn rest_us(&self) -> u64 {
        4 * self.round_trip_us()
            + 6 * (self.slowest_commit_us() + self.answer_us)
            + 4 * self.net_us
            + 1_000 * self.limits.confirm_ms
            + 400_000
    }
}

/// Limits so tight that a few people hit them. A login answer and a page fit into an outbox, as
/// they do by default.
fn limits(rng: &mut Rng) -> Limits {
    let roomy = Limits::default();
    let tight_outbox = rng.chance(400);
    let tight_core = rng.chance(300);
    let limits = Limits {
        msg_bytes: 300,
        outbox_bytes: if tight_outbox { 6_000 } else { roomy.outbox_bytes },
        stall_ms: rng.pick(&[0, 100, roomy.stall_ms]),
        outbox_core_bytes: if tight_core { 8_000 } else { roomy.outbox_core_bytes },
        outbox_squeezed_bytes: 5_000,
        live_buffer_bytes: rng.pick(&[0, 400, 3_000, roomy.live_buffer_bytes]),
        unsettled: rng.pick(&[2, 8, roomy.unsettled]),
        // Where the outbox is tight, so is what may be ahead of the store.
        unsettled_core: if tight_outbox { 12 } else { roomy.unsettled_core },
        page_messages: rng.pick(&[1, 3, roomy.page_messages]),
        page_bytes: rng.pick(&[
            200,
            1_000,
            if tight_outbox || tight_core { 2_000 } else { roomy.page_bytes },
        ]),
        login_bytes: 2_500,
        push_bytes: 2_000,
        anonymous: rng.pick(&[7, roomy.anonymous]),
        // Longer than any store here takes.
        declined_ms: 1_000,
        probe_ms: rng.pick(&[60, 500]),
        seen_ms: rng.pick(&[100, 700]),
        stored_notice_ms: rng.pick(&[0, 100]),
        unconfirmed: rng.pick(&[2, roomy.unconfirmed]),
        unconfirmed_bytes: rng.pick(&[600, roomy.unconfirmed_bytes, roomy.unconfirmed_bytes]),
        confirm_ms: rng.pick(&[20, 200, 500]),
        // Pings would never let it come to rest.
        ping_ms: u64::MAX / 2,
        history_messages: rng.pick(&[3, roomy.history_messages]),
        presence_grace_ms: rng.pick(&[0, 300]),
        presence_notice_ms: rng.pick(&[0, 100]),
        presence_look_ms: rng.pick(&[200, 700]),
        ..roomy
    };
    Limits { cursors_ms: limits.seen_ms, ..limits }
}
