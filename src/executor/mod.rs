//! All I/O.
