//! The tables of one core.
