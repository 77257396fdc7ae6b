//! The names of what happens on a core and of what it wants done. A number each, so that an entry has room for it.

use chatd_chat::port::store::StoreRequest;

/// Declares kinds: their names as lines have them.
macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        /// What an entry is about.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(super) enum Kind { $($kind),* }

        impl Kind {
            const ALL: &[(Kind, &'static str)] = &[$((Kind::$kind, $name)),*];
        }
    };
}

kinds! {
    Opened "opened" Located "located" Request "request" Upgraded "upgraded" BadFrame "bad_frame"
    FrameTimeout "frame_timeout" Shed "shed" Acked "acked" HalfClosed "half_closed" Closed "closed" Joined "joined"
    Published "published" Arrived "arrived" PresenceResult "presence_result" BusLost "bus_lost" BusSilent "bus_silent"
    BusHeard "bus_heard" Rejoined "rejoined" CoreGone "core_gone"
    Acted "acted" Answered "answered" Tick "tick" Drain "drain"
    Send "send" Close "close" Pause "pause" Resume "resume" Probe "probe" Join "join" Leave "leave" Publish "publish"
    QueryPresence "query_presence" Store "store"
}

impl Kind {
    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).map(|(kind, _)| *kind)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Whether it happens to the core; otherwise it is what the core wants done.
    pub(super) fn is_event(self) -> bool {
        (self as u8) < Kind::Send as u8
    }
}

/// Numbers the requests to the store, and names them.
macro_rules! requests {
    ($($request:ident)*) => {
        enum Number { $($request),* }
        const REQUESTS: &[&str] = &[$(stringify!($request)),*];

        /// The number of a request to the store.
        pub(super) fn number_of(request: &StoreRequest) -> u8 {
            match request { $(StoreRequest::$request { .. } => Number::$request as u8),* }
        }
    };
}

requests! {
    Register Verify Admit Resume LoadProfile Remember Revoke Devices DropDevice Heads Sync Alter MoveMarker FindPlaces
    ChangePassword Find Block Unblock Members History Search Friends Hidden AddFriend DelFriend AskFriend AnswerFriend
    SaveSettings CreateGroup AddGroup DelGroup RuleGroup JoinRequests CheckMembership StoreMessage AppendHistory FetchBacklog
    AckDelivered Account SetPushToken CheckProofs Acquaintances
}

/// The name of the request to the store that has this number.
pub(super) fn request(number: u8) -> &'static str {
    REQUESTS.get(usize::from(number)).copied().unwrap_or("?")
}
