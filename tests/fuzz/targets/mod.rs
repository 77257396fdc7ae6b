//! The targets, one a file.

pub mod envelopes;
pub mod frames;
pub mod http;
pub mod hub;
pub mod jwt;
pub mod proxy;
pub mod requests;
pub mod resp;
pub mod websocket;
pub mod words;

/// Cuts `bytes` in two or three pieces, where the first two of `by` say.
fn pieces<'a>(bytes: &'a [u8], by: &[u8]) -> [&'a [u8]; 3] {
    let at = |by: Option<&u8>, len: usize| by.map_or(0, |&by| usize::from(by) * (len + 1) / 256);
    let (first, rest) = bytes.split_at(at(by.first(), bytes.len()));
    let (second, third) = rest.split_at(at(by.get(1), rest.len()));
    [first, second, third]
}
