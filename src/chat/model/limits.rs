//! Every bound of the core, its unit, its default, and what happens when it is hit.
//!
//! Bounds of the machine (connections, bytes in flight between cores, the queue to the store)
//! are here too, so that one page answers "what happens when".

/// The bounds of one core. All have a default; the binaries may change them at start.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one frame from a client, without its terminator. Above: ERROR 111, close.
    pub frame_bytes: usize,
    /// How deep arrays and objects may nest in a frame. Above: ERROR 100, close.
    pub nesting_depth: usize,
    /// Bytes of a message's decoded text. Above: ERROR 111, the connection lives on.
    pub msg_bytes: usize,
    /// Bytes of the sender's `time` text. Above: ERROR 102, the connection lives on.
    pub time_bytes: usize,
    /// Bytes of a `cid`. Above, or empty: ERROR 102.
    pub cid_bytes: usize,
    /// Characters of a user's or a group's name. Above, or empty: refused.
    pub name_chars: usize,
    /// Characters of a group's description. Above: ERROR 102.
    pub desc_chars: usize,
    /// Bytes of a password. Above, or empty: refused.
    pub password_bytes: usize,
    /// Wrong passwords in a row on one connection. From then on it waits before each further try,
    /// 1 s and then twice as long each time; a login before that gets errno 109, without a look
    /// at the password.
    pub wrong_passwords: u32,
    /// The longest of these waits, in milliseconds.
    pub guess_pause_ms: u64,
    /// Connections of one core. Above: the new one gets ERROR 116 and is closed.
    pub connections: usize,
    /// Connections of one core that are not logged in. Above: the oldest of them is closed. One whose
    /// login or registration is being answered is none of them: those are bounded by `password_queue`.
    pub anonymous: usize,
    /// Milliseconds that a frame may take from its first byte to its last. Above: ERROR 100, close.
    /// Connections with no frame under way may be silent for as long as they like.
    pub frame_ms: u64,
    /// Bytes of unfinished frames that a core holds. Above: the largest of them, and of these the oldest,
    /// get ERROR 116 and are closed, until an eighth of it is free. Besides them, connections whose
    /// requests wait hold one receive buffer (8 KiB) each at most.
    pub partial_core_bytes: usize,
    /// Bytes that are read from a connection after it was closed with an ERROR, and thrown away, so that
    /// the ERROR arrives. Above, and after a second in any case: the connection is reset.
    pub linger_bytes: usize,
    /// Bytes sent to a session and not acknowledged by its TCP. Above, while its TCP makes no
    /// progress for `stall_ms`, and above four times as much, one frame besides, in any case:
    /// ERROR 115, close; what it did not get goes to its backlog.
    pub outbox_bytes: usize,
    /// Milliseconds without progress after which a session above `outbox_bytes` does not read.
    pub stall_ms: u64,
    /// `outbox_bytes` summed over a core. Above: every session's budget shrinks to
    /// `outbox_squeezed_bytes` until the sum is below again.
    pub outbox_core_bytes: usize,
    /// What a session may have under way while its core is above `outbox_core_bytes`. Of its
    /// backlog it never has more under way than this, so that nobody is cut for having been away.
    pub outbox_squeezed_bytes: usize,
    /// Milliseconds between two frames to a client whose first frame ended with NUL, unless it asks for
    /// v2: it may read as the original does, one frame a read. When many frames wait it is less, and
    /// never under 2.
    pub paced_gap_ms: u64,
    /// Milliseconds that a frame may wait for that. Frames that would take longer go as they are.
    pub paced_wait_ms: u64,
    /// Bytes that may wait for that. Above: frames go as they are.
    pub paced_bytes: usize,
    /// Messages of its backlog that such a client may have under way. The next follow when its TCP has
    /// acknowledged some.
    pub paced_backlog: usize,
    /// Bytes of the live buffer: live messages that wait while a session still gets its backlog. Above: they join
    /// the backlog in the store.
    pub live_buffer_bytes: usize,
    /// Messages that a session has sent and that are neither stored nor known to be heard.
    /// Above: the session is not read from until some are.
    pub unsettled: u32,
    /// `unsettled` summed over a core: three quarters of `store_queue`, divided among the cores. Above:
    /// whoever sends another message is not read from until the sum is half of it.
    pub unsettled_core: u32,
    /// Messages in one page of a backlog. The next page follows when TCP acknowledged this one.
    pub page_messages: usize,
    /// Bytes of messages in one page of a backlog (one message at least). At most half of
    /// `outbox_squeezed_bytes`.
    pub page_bytes: usize,
    /// Bytes of a login answer. What does not fit: messages follow as pushes, friends as a
    /// SHOW_FRIEND_LIST frame, members of large groups are left out (ask with MEMBERS in v2).
    pub login_bytes: usize,
    /// Bytes of one push or list. Above: a list is cut at its end.
    pub push_bytes: usize,
    /// Friends of a user. Above: ERROR 116.
    pub friends: usize,
    /// Groups of a user. Above: ERROR 116.
    pub groups: usize,
    /// Members of a group. Above: ERROR 116.
    pub members: usize,
    /// Bytes that one session may put into one group in a second, frames and all. Above, once `group_burst_ms` are used up:
    /// ERROR 109.
    pub group_rate_bytes: u64,
    /// Messages likewise.
    pub group_rate_messages: u64,
    /// Milliseconds of both that it may use up at once.
    pub group_burst_ms: u64,
    /// Bytes that a member has not taken yet who is behind. While most members on the sender's core are, both rates count.
    pub group_lag_bytes: u64,
    /// Groups of a core's users of which it remembers, for a while, who was muted or taken out lately. Above: the oldest are
    /// forgotten, and what such a user had under way may still be pushed.
    pub silenced: usize,
    /// Requests to join that a group keeps until somebody answers. Above: ERROR 116.
    pub join_requests: usize,
    /// Users that a group has banned and not forgotten. Above: ERROR 116.
    pub group_bans: usize,
    /// Characters of what is said with a friendship that is asked for. Above: ERROR 102.
    pub note_chars: usize,
    /// Friendships that one user has asked for and that wait for an answer. Above: ERROR 116.
    pub friend_asks: usize,
    /// Friendships that one user is asked for and has not answered. Above, whoever asks gets ERROR 116: what waits
    /// already is kept.
    pub friend_asked: usize,
    /// Friendships that one user asks for at once, also if they are answered; then one each `ask_make_ms`. Above: ERROR 109.
    pub ask_makes: u32,
    /// Milliseconds until one more friendship may be asked for: see `ask_makes`.
    pub ask_make_ms: u64,
    /// Events of friendships, groups and settings that are kept for a session until its login answer is out, and names of friends
    /// of whom it has heard and who are still to be looked up. Above: it looks up what is so, and has no name for those friends.
    pub friend_events_held: usize,
    /// The same of a core that the bus could not carry, to be told again; and users whose settings it could not. Above: likewise.
    pub friend_events_unsent: usize,
    /// So much later, and not more often, a session looks in the store for what it declined because of who may write.
    pub declined_ms: u64,
    /// Users that one user blocks. Above: ERROR 116.
    pub blocked: usize,
    /// Tokens of one user. Above: the one that was not used for longest is revoked.
    pub tokens: usize,
    /// Days that a token is good for after it was last used. Later: refused, log in again.
    pub token_days: u64,
    /// Bytes of another application's signed token. Above, or empty: ERROR 102.
    pub jwt_bytes: usize,
    /// Signed tokens that wait to be looked at. Above: the login gets errno 110.
    pub jwt_queue: usize,
    /// How long before a session expires it is told so.
    pub expiry_notice_ms: u64,
    /// Bytes of the token that a device is pushed by. Above: ERROR 102.
    pub push_token_bytes: usize,
    /// Characters of its kind. Above, or empty: ERROR 102.
    pub push_kind_chars: usize,
    /// Characters of a device's name. Above, or empty: ERROR 102.
    pub device_chars: usize,
    /// Sessions of one user that live side by side, in the whole cluster. Above: the login gets errno 116.
    pub user_sessions: usize,
    /// Conversations that one SYNC may name. Above: ERROR 102.
    pub sync_conversations: usize,
    /// Conversations in one page of heads, and in a login answer. The rest follows when it is asked for.
    pub heads: usize,
    /// Pushed messages of a core that the store is asked at one time where it has them. The rest follows with the next
    /// ticks.
    pub places_find: usize,
    /// Pushed messages of a core whose sessions are still to be told their places. Above: they are not told, and ask SYNC.
    pub unplaced: usize,
    /// Milliseconds between two TYPING of a session that are passed on. Those between are dropped.
    pub typing_ms: u64,
    /// Milliseconds that a TYPING counts for.
    pub typing_expires_ms: u64,
    /// Members of a group who are online at most for TYPING to be passed on. Above: it is dropped.
    pub typing_members: usize,
    /// For how long whoever sent a message may edit or recall it.
    pub edit_ms: u64,
    /// Bytes of a reaction.
    pub emoji_bytes: usize,
    /// Bytes of a message's `data`, as compact JSON. Above: ERROR 111, the connection lives on.
    pub data_bytes: usize,
    /// Ways of reacting to one message.
    pub emojis: usize,
    /// Changes that a session is told when its backlog is through.
    pub held_changes: usize,
    /// Messages that one CONFIRM names. Above: ERROR 102.
    pub confirm_mids: usize,
    /// Of these, those that a session does not know are asked of the store in pieces of so many, one piece at
    /// a time. Until all are answered the session is not read from.
    pub confirm_piece: usize,
    /// Look-ups of clients that a core asks the store for at one time: pieces of CONFIRM, HISTORY, MEMBERS,
    /// FIND, friends, and why a group cannot be written to. Above: they wait, first in, first out.
    pub lookups: usize,
    /// Look-ups of a core that wait for that. Above: ERROR 110.
    pub lookups_waiting: usize,
    /// Messages in one page of history, and members in one page of a group, however many were
    /// asked for. The rest is in the next page.
    pub history_messages: usize,
    /// Characters of what SEARCH looks for. Above: ERROR 102.
    pub search_chars: usize,
    /// Messages in one page of SEARCH, however many were asked for.
    pub search_messages: usize,
    /// Messages to a v2 session that its TCP has acknowledged and its reader has not confirmed.
    /// Above: the oldest of the sender who has most of them, group messages included, count as confirmed.
    pub unconfirmed: usize,
    /// Bytes of the same messages. Above: likewise.
    pub unconfirmed_bytes: usize,
    /// Messages with a cid of one user that its session remembers. Above: the oldest is forgotten; said
    /// again, it is pushed again before the store knows it for what it is.
    pub dedup_cids: usize,
    /// The same of users who are away, summed over a server. Above: those of who left first are
    /// forgotten.
    pub dedup_away_cids: usize,
    /// Milliseconds that a sender's core waits for the reader to confirm a message, with `--keep
    /// undelivered`. Then: the message is kept.
    pub confirm_ms: u64,
    /// Requests of a core to the store and the bus whose consequence has not come back. Above: clients get ERROR 110.
    pub requests_in_flight: usize,
    /// Questions that all cores together may have waiting for the store. From three quarters on
    /// clients' requests get 110; the last quarter is for messages. Above: 110.
    pub store_queue: usize,
    /// Parcels under way from one core to another. Above: as if nobody heard, so they are stored.
    pub bus_queue: usize,
    /// Bytes that a core has for Redis and Redis has not taken. Above: as if nobody heard, likewise.
    pub bus_unsent_bytes: usize,
    /// Bytes of one answer or message of Redis. Above: that Redis counts as lost, and says why.
    pub bus_frame_bytes: usize,
    /// The same while a connection to Redis begins, when Redis lists its connections. Above: that
    /// Redis cannot be used.
    pub bus_list_bytes: usize,
    /// Retries: what a core wants to put into or take out of backlogs while the store is busy, and
    /// that no client waits for. Above: the newest are dropped; a message without a cid may be
    /// lost then, one with a cid is stored already.
    pub store_retries: usize,
    /// Passwords of logins (and of changes of one) that wait to be hashed. Above: the last one of whoever
    /// has most of them gets 109; 110 where nobody has more than the newcomer. A quarter as many again wait
    /// of whoever has guessed wrong within a minute, apart, with one of four turns.
    pub password_queue: usize,
    /// Passwords of registrations that wait to be hashed. Above: likewise.
    pub registration_queue: usize,
    /// Of each of these queues, what one address may have in it (an IPv4 address, the first 64 bits of an
    /// IPv6 address); behind 127.0.0.1 and ::1, one account. Above: 109.
    pub password_share: usize,
    /// Wrong passwords on one account, from wherever, before it takes `account_guess_ms` for each further
    /// one. Above: 109, without a look at the password.
    pub account_guesses: u32,
    /// Milliseconds until one more may be tried.
    pub account_guess_ms: u64,
    /// Users that one address registers at once (as `password_share`, but not behind 127.0.0.1 and ::1).
    /// Above: 109, but for one each `address_registration_ms`.
    pub address_registrations: u32,
    /// Milliseconds until one more may be registered.
    pub address_registration_ms: u64,
    /// Groups that one user makes at once, those included that are dissolved. Above: 109, but for one each
    /// `group_make_ms`.
    pub group_makes: u32,
    /// Milliseconds until one more may be made.
    pub group_make_ms: u64,
    /// Requests of a connection that are refused because they are too fast, 10 s apart at most, before it is not read from
    /// for a while.
    pub rate_refusals: u32,
    /// How often that may happen before it is closed with ERROR 109.
    pub rate_pauses: u32,
    /// Milliseconds that it is not read from, at least.
    pub rate_pause_ms: u64,
    /// Milliseconds that a claim of a user waits for those who could object.
    pub claim_ms: u64,
    /// Milliseconds of silence after which a v2 session is pinged.
    pub ping_ms: u64,
    /// Milliseconds that it has for any frame after that. Later: it is closed.
    pub pong_ms: u64,
    /// Milliseconds after a lost connection during which its user may be back without having been
    /// offline.
    pub presence_grace_ms: u64,
    /// Milliseconds by which word of who came and went is collected for the other cores.
    pub presence_notice_ms: u64,
    /// Milliseconds between two looks for friends who seem to be online and of whom no core has
    /// told yet.
    pub presence_look_ms: u64,
    /// Milliseconds between two looks at what TCP has acknowledged, and between two tries to get
    /// done what the store was too busy for.
    pub probe_ms: u64,
    /// Milliseconds after which, once to twice as long, word that a message of a group is stored is taken for lost.
    pub seen_ms: u64,
    /// Milliseconds between two writes of how far online members have come in their groups.
    pub cursors_ms: u64,
    /// Sessions that one tick looks at of what is done for all of them now and then, for each such purpose.
    /// Above: the rest follows with the next ticks (50 ms).
    pub walk_sessions: usize,
    /// Cursors of groups that one tick looks at, likewise.
    pub walk_cursors: usize,
    /// Bytes of an announcement, as JSON writes it: a frame that the original client reads. Above: it is refused.
    pub announcement_bytes: usize,
    /// Announcements that a core is still to tell. Above: the newest is refused, or not told here.
    pub announcements: usize,
    /// Announcements that a core knows again. The oldest are forgotten.
    pub announcements_known: usize,
    /// Sessions that one tick looks at to tell them one. The rest follows with the next ticks (50 ms).
    pub announced_sessions: usize,
    /// Milliseconds by which the notices that a group's messages are stored are collected.
    pub stored_notice_ms: u64,
    /// Milliseconds in which a stopping server has told everybody.
    pub drain_close_ms: u64,
    /// Sessions that a stopping server tells and closes in a second, if that is in time. Divided among the cores.
    pub drain_sessions: u32,
    /// Milliseconds that it waits after that for sockets and the store.
    pub drain_ms: u64,
    /// Lines of the log that wait to be written. Above: the newest are lost, and counted.
    pub log_lines: usize,
}

impl Limits {
    /// Those of each of so many cores, which share a store.
    pub fn of_each(&self, cores: usize) -> Self {
        let unsettled_core = (self.store_queue * 3 / 4 / cores.max(1)).max(1) as u32;
        let drain_sessions = self.drain_sessions.div_ceil(cores.max(1) as u32);
        Self { unsettled_core: self.unsettled_core.min(unsettled_core), drain_sessions, ..self.clone() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 << 10,
            nesting_depth: 16,
            msg_bytes: 16 << 10,
            time_bytes: 64,
            cid_bytes: 64,
            name_chars: 50,
            desc_chars: 200,
            password_bytes: 256,
            wrong_passwords: 5,
            guess_pause_ms: 30_000,
            connections: 20_000,
            anonymous: 10_000,
            frame_ms: 10_000,
            partial_core_bytes: 64 << 20,
            linger_bytes: 256 << 10,
            outbox_bytes: 1 << 20,
            stall_ms: 1_000,
            outbox_core_bytes: 256 << 20,
            outbox_squeezed_bytes: 64 << 10,
            paced_gap_ms: 5,
            paced_wait_ms: 1_000,
            paced_bytes: 128 << 10,
            paced_backlog: 32,
            live_buffer_bytes: 64 << 10,
            unsettled: 256,
            unsettled_core: 12_288,
            page_messages: 200,
            page_bytes: 32 << 10,
            login_bytes: 64 << 10,
            push_bytes: 128 << 10,
            friends: 1_000,
            groups: 200,
            members: 5_000,
            group_rate_bytes: 1 << 20,
            group_rate_messages: 5_000,
            group_lag_bytes: 2 << 20,
            group_burst_ms: 1_000,
            silenced: 16_384,
            join_requests: 200,
            group_bans: 5_000,
            note_chars: 200,
            friend_asks: 100,
            friend_asked: 200,
            ask_makes: 50,
            ask_make_ms: 60_000,
            friend_events_held: 64,
            friend_events_unsent: 1_024,
            declined_ms: 2_000,
            blocked: 1_000,
            tokens: 16,
            token_days: 30,
            jwt_bytes: 8 << 10,
            jwt_queue: 4_096,
            expiry_notice_ms: 30_000,
            device_chars: 50,
            push_token_bytes: 4 << 10,
            push_kind_chars: 50,
            user_sessions: 10,
            sync_conversations: 200,
            heads: 200,
            places_find: 1_024,
            unplaced: 65_536,
            typing_ms: 3_000,
            typing_expires_ms: 6_000,
            typing_members: 50,
            edit_ms: 900_000,
            emoji_bytes: 32,
            data_bytes: 4 << 10,
            emojis: 50,
            held_changes: 256,
            confirm_mids: 1_000,
            confirm_piece: 64,
            lookups: 16,
            lookups_waiting: 16_384,
            history_messages: 200,
            search_chars: 100,
            search_messages: 50,
            unconfirmed: 1_000,
            dedup_cids: 256,
            dedup_away_cids: 262_144,
            confirm_ms: 500,
            unconfirmed_bytes: 256 << 10,
            requests_in_flight: 65_536,
            store_queue: 16_384,
            bus_queue: 16_384,
            bus_unsent_bytes: 64 << 20,
            bus_frame_bytes: 1 << 20,
            bus_list_bytes: 16 << 20,
            store_retries: 16_384,
            password_queue: 4_096,
            registration_queue: 4_096,
            password_share: 256,
            account_guesses: 20,
            account_guess_ms: 2_000,
            address_registrations: 1_000,
            address_registration_ms: 10_000,
            group_makes: 400,
            group_make_ms: 30_000,
            rate_refusals: 16,
            rate_pauses: 30,
            rate_pause_ms: 1_000,
            claim_ms: 1_000,
            presence_grace_ms: 3_000,
            presence_notice_ms: 100,
            presence_look_ms: 10_000,
            ping_ms: 30_000,
            pong_ms: 15_000,
            probe_ms: 1_000,
            seen_ms: 5_000,
            cursors_ms: 5_000,
            walk_sessions: 1_024,
            walk_cursors: 4_096,
            announcement_bytes: 800,
            announcements: 8,
            announcements_known: 64,
            announced_sessions: 256,
            stored_notice_ms: 100,
            drain_close_ms: 24_000,
            drain_sessions: 500,
            drain_ms: 5_000,
            log_lines: 1_024,
        }
    }
}
