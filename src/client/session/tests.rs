//! The rules, without a socket and without a clock.
