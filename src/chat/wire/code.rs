//! errno on the wire: what went wrong, and the sentence that goes with it.

/// An errno of protocol.md, section 4. `Code` is always a failure; success is errno 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum Code {
    /// Refused, in the seed's meaning: bad login, name taken.
    Refused = 1,
    /// The user is online already.
    AlreadyOnline = 2,
    /// Not a frame: bad JSON, too deep, bad UTF-8.
    NotAFrame = 100,
    /// A msgid that no request has.
    UnknownMsgid = 101,
    /// A missing, mistyped or out-of-range field; errmsg names it.
    InvalidField = 102,
    /// The request needs a login.
    LoginFirst = 103,
    /// `id` is not this session's user, or no permission.
    NotYours = 104,
    /// No such user.
    NoSuchUser = 105,
    /// No such group.
    NoSuchGroup = 106,
    /// Not a member of the group.
    NotAMember = 107,
    /// Exists already.
    Exists = 108,
    /// Too fast; see retry_after_ms.
    TooFast = 109,
    /// Busy: not stored, or not known to be; try again.
    Busy = 110,
    /// A frame or a text is too large.
    TooLarge = 111,
    /// The same cid with other content.
    CidReused = 112,
    /// Replaced by a newer session.
    Replaced = 113,
    /// The server is draining.
    Draining = 114,
    /// Reading too slowly.
    TooSlow = 115,
    /// Too many: friends, groups, members, connections.
    TooMany = 116,
    /// What the session was let in by has expired, or will soon.
    Expired = 117,
    /// Muted in this group.
    Muted = 118,
    /// Asked for, and not yet answered.
    Pending = 119,
}

impl Code {
    /// The number on the wire.
    pub const fn errno(self) -> u16 {
        self as u16
    }

    /// The sentence for errmsg where nothing more exact is known.
    pub const fn text(self) -> &'static str {
        match self {
            Code::Refused => "refused",
            Code::AlreadyOnline => "this account is using, input another!",
            Code::NotAFrame => "not a frame: one JSON object, UTF-8, ended by NUL or newline",
            Code::UnknownMsgid => "unknown msgid",
            // Whoever names a field says so itself: this is what the store refuses for good.
            Code::InvalidField => "the store cannot take this",
            Code::LoginFirst => "log in first",
            Code::NotYours => "not yours",
            Code::NoSuchUser => "no such user",
            Code::NoSuchGroup => "no such group",
            Code::NotAMember => "not a member of this group",
            Code::Exists => "exists already",
            Code::TooFast => "too fast",
            Code::Busy => "busy, try again",
            Code::TooLarge => "too large",
            Code::CidReused => "this cid was used for another content",
            Code::Replaced => "replaced by a newer session",
            Code::Draining => "the server is stopping, reconnect",
            Code::TooSlow => "reading too slowly",
            Code::TooMany => "too many",
            Code::Expired => "expired, log in again",
            Code::Muted => "muted in this group",
            Code::Pending => "asked for, wait for the answer",
        }
    }
}

/// The text of a failed login, for an unknown user and a wrong password alike.
pub const BAD_LOGIN: &str = "id or password is invalid!";

/// The text of a failed RESUME, whatever is wrong with the token.
pub const BAD_TOKEN: &str = "this token is not valid, log in with a password";

/// The text of a login with another application's word that is not believed, whatever is wrong with it.
pub const BAD_JWT: &str = "this jwt is not valid here";

/// The text of [`Code::Replaced`] where nobody came instead: the session's token was revoked.
pub const REVOKED: &str = "this device was dropped, or the password was changed";

/// The text of [`Code::TooFast`] where passwords are guessed.
pub const TOO_MANY_GUESSES: &str = "too many wrong passwords, try again later";

/// The text of [`Code::TooFast`] where nobody looked at a password.
pub const TOO_MANY_LOGINS: &str = "too many logins from there or for this account, try again later";

/// The text of [`Code::TooFast`] where too many register.
pub const TOO_MANY_REGISTRATIONS: &str = "too many registrations from there, try again later";
