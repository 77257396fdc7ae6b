//! The server's API, as an application's own server sees it.

mod announcing;
mod everything;
mod groups;
mod hostile;
mod openapi;
mod sending;
mod users;
