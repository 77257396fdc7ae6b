//! The client in JavaScript (`clients/js/`), run by Node against the real chatd. Its tests are written in its own language,
//! beside it; here each file of them is one test.

use chatd_testing::node;
use chatd_testing::services::install;
use std::path::Path;

fn passes(name: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js/test");
    let passed = node::test(&folder.join(format!("{name}.test.mjs")));
    assert!(passed >= at_least, "{name}: {passed} passed");
}

/// Every file of tests has its test here.
#[test]
fn no_file_of_tests_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js/test");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| name.to_str()?.strip_suffix(".test.mjs").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["devices", "documents", "jwt", "news", "rules", "server", "together", "ways"]);
}

#[test]
fn the_rules_of_being_connected() {
    passes("rules", 38);
}

#[test]
fn with_the_real_server() {
    passes("server", 32);
}

#[test]
fn several_devices_of_one_user() {
    passes("devices", 11);
}

#[test]
fn what_is_changed_and_what_happens() {
    passes("news", 9);
}

#[test]
fn changes_groups_friendships_and_search() {
    passes("together", 4);
}

#[test]
fn on_the_way_to_a_server() {
    install::packages_by_apt(
        || if install::find("openssl").is_some() { Vec::new() } else { vec!["openssl"] },
    );
    passes("ways", 6);
}

#[test]
fn users_of_another_application() {
    passes("jwt", 5);
}

#[test]
fn what_is_written_about_it_is_true() {
    passes("documents", 4);
}
