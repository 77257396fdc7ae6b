//! A strict reader of OpenMetrics text: panics at whatever the specification forbids and a server of ours could do.

use std::collections::{BTreeMap, BTreeSet};

/// One metric family.
#[derive(Debug)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub help: String,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
pub struct Sample {
    /// With its suffix.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All families by name.
#[derive(Debug)]
pub struct Metrics(pub BTreeMap<String, Family>);

impl Metrics {
    pub fn read(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
        let mut families = BTreeMap::new();
        let mut current: Option<(String, Family)> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let (what, rest) = rest.split_once(' ').expect("a comment says what it is");
                let (name, value) = rest.split_once(' ').expect("and of which metric");
                if current.as_ref().is_none_or(|(current, _)| current != name) {
                    finish(&mut families, current.take());
                    let family =
                        Family { kind: String::new(), unit: None, help: String::new(), samples: Vec::new() };
                    current = Some((name.to_owned(), family));
                }
                let (_, family) = current.as_mut().expect("just made");
                assert!(family.samples.is_empty(), "{line}: after the samples of its metric");
                match what {
                    "HELP" => family.help = value.to_owned(),
                    "TYPE" => family.kind = value.to_owned(),
                    "UNIT" => family.unit = Some(value.to_owned()),
                    _ => panic!("{line}: no such comment"),
                }
            } else {
                let sample = sample(line);
                let (name, family) = current.as_mut().expect("a sample follows its metric's comments");
                let suffix = sample.name.strip_prefix(name.as_str());
                let suffix = suffix.unwrap_or_else(|| panic!("{line}: among the samples of {name}"));
                let allowed: &[&str] = match family.kind.as_str() {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_count", "_sum"],
                    other => panic!("{name} is a {other}"),
                };
                assert!(allowed.contains(&suffix), "{line}: of a {}", family.kind);
                family.samples.push(sample);
            }
        }
        finish(&mut families, current);
        Self(families)
    }

    /// The sum over all samples with these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.0.values().flat_map(|family| &family.samples);
        let matching = samples.filter(|sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).map(String::as_str) == Some(*value))
        });
        matching.map(|sample| sample.value).sum()
    }

    /// The name under which Prometheus knows a metric; a histogram's without a suffix.
    pub fn shown(name: &str, family: &Family) -> String {
        match family.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        }
    }
}

fn finish(families: &mut BTreeMap<String, Family>, current: Option<(String, Family)>) {
    let Some((name, family)) = current else { return };
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    assert!(name.chars().all(plain), "the name {name}");
    assert!(!family.kind.is_empty() && !family.help.is_empty(), "{name} has a type and a meaning");
    if let Some(unit) = &family.unit {
        assert!(name.ends_with(&format!("_{unit}")), "{name} ends with its unit {unit}");
    }
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let series = (sample.name.clone(), sample.labels.clone());
        assert!(seen.insert(series), "{name} has {sample:?} twice");
        assert!(family.kind == "gauge" || sample.value >= 0.0, "{name}: {sample:?}");
    }
    if family.kind == "histogram" {
        check_buckets(&name, &family.samples);
    }
    assert!(families.insert(name.clone(), family).is_none(), "{name} is there twice");
}

/// Buckets of one series grow up to +Inf, which is the count.
fn check_buckets(name: &str, samples: &[Sample]) {
    let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let mut labels = sample.labels.clone();
        let bound = labels.remove("le").expect("a bucket has a bound");
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a number") };
        series.entry(labels).or_default().push((bound, sample.value));
    }
    for (labels, buckets) in series {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name} {labels:?}: {buckets:?}");
        let last = buckets.last().expect("not empty");
        let count = samples.iter().find(|s| s.name.ends_with("_count") && s.labels == labels);
        assert_eq!(last.0, f64::INFINITY, "{name} {labels:?}");
        assert_eq!(Some(last.1), count.map(|count| count.value), "{name} {labels:?}");
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
    let value = value.parse().unwrap_or_else(|_| panic!("{line}: not a number"));
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').expect("labels end")),
        None => (series, ""),
    };
    let mut found = BTreeMap::new();
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (key, text) = label.split_once('=').expect("a label has a value");
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("in quotes");
        // None of ours needs an escape.
        assert!(!text.contains(['"', '\\']), "{line}");
        assert!(found.insert(key.to_owned(), text.to_owned()).is_none(), "{line}: a label twice");
    }
    Sample { name: name.to_owned(), labels: found, value }
}
