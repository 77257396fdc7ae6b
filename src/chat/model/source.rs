//! Where a connection comes from, as far as shares go: whoever has one source shares with itself.

use std::fmt;

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

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Source::Proxy => f.write_str("this machine, or a proxy that does not say for whom"),
            Source::V4(address) => {
                let [a, b, c, d] = address.to_be_bytes();
                write!(f, "{a}.{b}.{c}.{d}")
            }
            Source::V6(network) => {
                let part = |number: u32| (network >> (48 - 16 * number)) & 0xffff;
                write!(f, "{:x}:{:x}:{:x}:{:x}::/64", part(0), part(1), part(2), part(3))
            }
        }
    }
}
