//! Who is answered, and in which form.

use super::client::{Admin, Page, start, watched};
use super::openmetrics::Metrics;
use crate::common::chatd::Setup;
use std::collections::{BTreeMap, BTreeSet};

fn ask(admin: Admin, path: &str, headers: &[&str]) -> Page {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    admin.say(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes())
}

/// A page in a browser has its own name resolve to this address, and asks.
#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let (_chatd, admin) =
        watched(Setup::new(1).argument("--admin-host").argument("metrics.example,Other.Example"));
    let port = admin.0.port();
    for path in ["/", "/metrics", "/histograms", "/healthz", "/readyz", "/nowhere"] {
        for host in
            ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1.evil.example".to_owned()]
        {
            let page = ask(admin, path, &[&format!("Host: {host}")]);
            assert_eq!(page.status, 421, "{path} of {host}: {page:?}");
            assert!(page.text().contains("--admin-host") && !page.text().contains("chatd_"), "{page:?}");
        }
        let two = ask(admin, path, &["Host: localhost", "host: evil.example"]);
        assert_eq!(two.status, 421, "{path}: {two:?}");
    }
    let ours = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        "[::1]".to_owned(),
        "other.example".to_owned(),
    ];
    for host in ours {
        assert_eq!(ask(admin, "/metrics", &[&format!("Host: {host}")]).status, 200, "{host}");
    }
    assert_eq!(ask(admin, "/metrics", &[]).status, 200, "what names nobody is no browser");
}

/// The series of text in the format 0.0.4, each with its value; every one is described before it, once.
fn series(text: &str) -> BTreeMap<String, f64> {
    let (mut types, mut helped, mut found) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        match line.strip_prefix("# ").map(|comment| comment.split_once(' ').expect("a comment of two words"))
        {
            Some(("HELP", rest)) => {
                let (name, _) = rest.split_once(' ').expect("a help");
                assert!(helped.insert(name.to_owned()), "{line}: twice");
            }
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}: no such type");
                assert!(helped.contains(name), "{line}: HELP comes first");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}: twice");
            }
            Some(_) => panic!("{line}: no such comment"),
            None => {
                let (labelled, value) = line.rsplit_once(' ').expect("a value");
                let name = labelled.split('{').next().expect("a name");
                let described = types.contains_key(name)
                    || ["_bucket", "_sum", "_count"].iter().any(|suffix| {
                        let family = name.strip_suffix(suffix).and_then(|family| types.get(family));
                        family.is_some_and(|kind| kind == "histogram")
                    });
                assert!(described, "{line}: of no metric that was described");
                let value = value.parse().expect("a number");
                assert!(found.insert(labelled.to_owned(), value).is_none(), "{line}: twice");
            }
        }
    }
    found
}

#[test]
fn metrics_come_in_the_form_that_is_asked_for() {
    let (_chatd, admin) = start(2);
    let host = "Host: localhost";
    for accept in [&[host][..], &[host, "Accept: */*"], &[host, "Accept: text/plain;version=0.0.4"]] {
        let page = ask(admin, "/metrics", accept);
        assert_eq!(
            page.header("Content-Type"),
            Some("text/plain; version=0.0.4; charset=utf-8"),
            "{accept:?}"
        );
        assert!(!page.text().contains("# EOF") && !page.text().contains("# UNIT"));
        let plain = series(page.text());
        assert_eq!(plain["chatd_cores"], 2.0);
        assert!(plain.contains_key("chatd_turns_total{core=\"0\"}"), "{plain:?}");
        assert!(plain.keys().any(|name| name.starts_with("chatd_build_info{version=")), "{plain:?}");
        let open =
            ask(admin, "/metrics", &[host, "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1"]);
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(open.header("Content-Type"), Some(kind));
        let samples = Metrics::read(open.text()).0.into_values().flat_map(|family| family.samples).count();
        assert_eq!(plain.len(), samples, "the same series in both");
    }
}
