//! `/metrics`: the catalogue, written down as OpenMetrics text by `prometheus-client`.

use super::buckets::Buckets;
use super::catalogue::{CATALOGUE, Kind, Metric};
use super::view::{View, Whose};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Error;
use std::sync::Arc;

/// The labels of one series.
pub(super) type Labels = Vec<(&'static str, String)>;

/// The series of one metric.
#[derive(Debug, Default)]
pub(super) struct Series(Vec<(Labels, Number)>);

impl Series {
    /// The server's.
    pub(super) fn one(&mut self, value: impl Into<Number>) {
        self.0.push((Vec::new(), value.into()));
    }

    /// A core's.
    pub(super) fn core(&mut self, core: usize, value: impl Into<Number>) {
        self.0.push((vec![("core", core.to_string())], value.into()));
    }

    /// A core's, of one kind.
    pub(super) fn kind(&mut self, core: usize, label: &'static str, kind: String, value: impl Into<Number>) {
        self.0.push((vec![("core", core.to_string()), (label, kind)], value.into()));
    }

    /// Something said in labels.
    pub(super) fn said(&mut self, label: &'static str, text: &str) {
        self.0.push((vec![(label, text.to_owned())], Number::Whole(1)));
    }
}

/// A number as metrics have it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(u64::from(value))
    }
}

/// All metrics of a view, with `# EOF`.
pub(super) fn text(view: Arc<View>) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition(view)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Exposition(Arc<View>);

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for metric in CATALOGUE {
            write(metric, &self.0, &mut encoder)?;
        }
        Ok(())
    }
}

fn write(metric: &Metric, view: &View, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let unit = metric.unit.map(|unit| match unit {
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        other => Unit::Other(other.to_owned()),
    });
    let (kind, help) = (metric_type(&metric.kind), metric.help);
    let mut encoder = encoder.encode_descriptor(metric.name, help, unit.as_ref(), kind)?;
    match metric.kind {
        Kind::Counter(collect) => write_series(view, collect, &mut encoder, |encoder, value| match value {
            Number::Whole(value) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            Number::Real(value) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        }),
        Kind::Gauge(collect) => write_series(view, collect, &mut encoder, |encoder, value| match value {
            Number::Whole(value) => encoder.encode_gauge(&value),
            Number::Real(value) => encoder.encode_gauge(&value),
        }),
        Kind::Info(collect) => {
            let mut series = Series::default();
            collect(view, &mut series);
            series.0.iter().try_for_each(|(labels, _)| encoder.encode_info(labels))
        }
        Kind::Histogram(wanted) => write_histograms(view, wanted, &mut encoder),
    }
}

const fn metric_type(kind: &Kind) -> MetricType {
    match kind {
        Kind::Counter(_) => MetricType::Counter,
        Kind::Gauge(_) => MetricType::Gauge,
        Kind::Info(_) => MetricType::Info,
        Kind::Histogram(_) => MetricType::Histogram,
    }
}

fn write_series(
    view: &View,
    collect: fn(&View, &mut Series),
    encoder: &mut MetricEncoder<'_>,
    write: impl Fn(&mut MetricEncoder<'_>, Number) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut series = Series::default();
    collect(view, &mut series);
    for (labels, value) in &series.0 {
        if labels.is_empty() {
            write(encoder, *value)?;
        } else {
            write(&mut encoder.encode_family(labels)?, *value)?;
        }
    }
    Ok(())
}

fn write_histograms(view: &View, wanted: &'static str, encoder: &mut MetricEncoder<'_>) -> Result<(), Error> {
    for (kind, name, histogram) in view.histograms(Whose::All).unwrap_or_default() {
        if kind == wanted {
            let Buckets { sum, count, buckets } = Buckets::new(histogram);
            let labels: Labels = vec![(wanted, name.to_owned())];
            encoder.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
    }
    Ok(())
}
