//! The text format 0.0.4 of Prometheus, made of OpenMetrics text.
//!
//! The two differ in what describes a metric: here it has the name of its series (with `_total` or `_info`), has no unit,
//! an info is a gauge, and nothing marks the end.

/// Rewrites what [`exposition`](super::exposition) has written.
pub(super) fn text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        let mut push = |parts: &[&str]| {
            parts.iter().for_each(|part| text.push_str(part));
            text.push('\n');
        };
        match line.strip_prefix("# ").map(|comment| comment.split_once(' ').unwrap_or((comment, ""))) {
            None => push(&[line]),
            Some(("HELP", rest)) => help = rest.split_once(' ').map_or("", |(_, help)| help),
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.rsplit_once(' ').unwrap_or((rest, "untyped"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                // Only OpenMetrics escapes quotes there.
                push(&["# HELP ", name, suffix, " ", &help.replace("\\\"", "\"")]);
                push(&["# TYPE ", name, suffix, " ", kind]);
            }
            // UNIT and EOF.
            Some(_) => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_is_described_as_it_is_there() {
        let open = "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{core=\"0\"} 7\n\
            # HELP b Says \\\"it\\\".\n# TYPE b info\nb_info{version=\"1\"} 1\n# HELP c C.\n# TYPE c histogram\n\
            c_sum 1.0\nc_count 2\nc_bucket{le=\"+Inf\"} 2\n# EOF\n";
        let plain = "# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\na_bytes_total{core=\"0\"} 7\n\
            # HELP b_info Says \"it\".\n# TYPE b_info gauge\nb_info{version=\"1\"} 1\n# HELP c C.\n\
            # TYPE c histogram\nc_sum 1.0\nc_count 2\nc_bucket{le=\"+Inf\"} 2\n";
        assert_eq!(super::text(open), plain);
    }
}
