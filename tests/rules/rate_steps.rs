//! The steps of a scenario that are about rates.
//!
//! ```text
//! rate message 2:3               from now on: so many a second, so many at once; `rate connections 2`
//! from a 7                       a proxy says that a comes from 0.0.0.7
//! ```

use chatd::chat::model::rate::Rates;
use chatd::chat::model::source::Source;

/// Changes one of the rates.
pub fn set(rates: &mut Rates, text: &str) {
    let (name, value) = text.split_once(' ').expect("a name and a rate");
    let rate = || value.parse().expect("a rate");
    match name {
        "message" => rates.message = rate(),
        "byte" => rates.byte = rate(),
        "lookup" => rates.lookup = rate(),
        "change" => rates.change = rate(),
        "guess" => rates.guess = rate(),
        "connect" => rates.connect = rate(),
        "connections" => rates.connections = value.parse().expect("a number"),
        "group" => rates.group = value.parse().expect("bytes, or off"),
        other => panic!("no such rate: {other}"),
    }
}

/// An address of a few bits.
pub fn source(text: &str) -> Source {
    Source::V4(text.parse().expect("a small number"))
}
