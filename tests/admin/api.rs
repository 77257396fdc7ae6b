//! The server's API, as an application's own server sees it.

mod hostile;
mod sending;
mod users;
