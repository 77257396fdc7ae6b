//! The histograms as JSON, written by the server's own writer.

use super::buckets::sum_ns;
use super::histograms::{QUANTILES, serialized};
use super::view::{View, Whose};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chatd_chat::wire::text::{number, string};
use hdrhistogram::Histogram;
use std::io::Write;

/// `{version, uptime_s, unit, cores, merged?, by_core?}`; see `docs/metrics.md`.
pub(super) fn text(view: &View, whose: &[Whose]) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |fields| {
        string(fields.key("version"), view.version);
        // Writing into memory does not fail.
        let _ = write!(fields.key("uptime_s"), "{:.3}", view.uptime.as_secs_f64());
        string(fields.key("unit"), "ns");
        number(fields.key("cores"), view.cores as u64);
        if whose.contains(&Whose::All) {
            object(fields.key("merged"), |merged| both(merged, view, Whose::All));
        }
        let core = |one: &Whose| if let Whose::Core(core) = one { Some(*core) } else { None };
        let cores: Vec<usize> = whose.iter().filter_map(core).collect();
        if !cores.is_empty() {
            list(fields.key("by_core"), &cores, |out, &core| {
                object(out, |fields| {
                    number(fields.key("core"), core as u64);
                    both(fields, view, Whose::Core(core));
                });
            });
        }
    });
    out.push(b'\n');
    out
}

fn both(fields: &mut Fields, view: &View, whose: Whose) {
    let histograms = view.histograms(whose).unwrap_or_default();
    for (key, wanted) in [("stages", "stage"), ("paths", "path")] {
        object(fields.key(key), |named| {
            for (_, name, histogram) in histograms.iter().filter(|(kind, ..)| *kind == wanted) {
                object(named.key(name), |fields| one(fields, histogram));
            }
        });
    }
}

fn one(fields: &mut Fields, histogram: &Histogram<u64>) {
    number(fields.key("count"), histogram.len());
    // Nanoseconds of all cores may be more than 64 bits.
    let _ = write!(fields.key("sum"), "{}", sum_ns(histogram));
    number(fields.key("min"), histogram.min());
    number(fields.key("max"), histogram.max());
    for (name, quantile) in QUANTILES {
        number(fields.key(name), histogram.value_at_quantile(quantile));
    }
    // Serializing into memory fails for histograms beyond all bounds only.
    let v2 = serialized(histogram).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default();
    string(fields.key("v2"), &v2);
}

/// An object, with what `fill` puts in.
fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Fields)) {
    out.push(b'{');
    fill(&mut Fields { out, before: None });
    out.push(b'}');
}

/// A list, each of whose items `write` writes.
fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// The fields of an object that is not closed yet, in the order in which they are written.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    /// What stands before the next one.
    before: Option<u8>,
}

impl Fields<'_> {
    /// Begins the next field: its value is written to what comes back.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.extend(self.before.replace(b','));
        string(self.out, name);
        self.out.push(b':');
        self.out
    }
}
