//! Where a connection comes from, as far as shares go: whoever has one source shares with itself.

/// One of them. A plain value: who accepts connections knows addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// 127.0.0.1 or ::1, or a declared proxy that does not say for whom: it may speak for many, so nothing is shared
    /// by where it comes from, only by which account it is about.
    Proxy,
    /// An IPv4 address, also one of 127.0.0.0/8 that no proxy has.
    V4(u32),
    /// The first 64 bits of an IPv6 address: whoever has one address has all of them.
    V6(u64),
}
