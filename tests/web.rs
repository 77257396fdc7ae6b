//! The page to chat on (`web/`), in a real headless Chromium against the real chatd. What people press, type and see is
//! written in JavaScript, in `tests/web/`; Node drives the browser over its debugging pipe.

use chatd_testing::node;
use chatd_testing::services::install;
use std::path::Path;

fn passes(name: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web");
    let passed = node::test(&folder.join(format!("{name}.test.mjs")));
    assert!(passed >= at_least, "{name}: {passed} passed");
}

#[test]
fn people_talk_on_the_page() {
    install::packages_by_apt(
        || if install::find("chromium").is_some() { Vec::new() } else { vec!["chromium"] },
    );
    passes("page", 13);
}

#[test]
fn people_change_what_they_said_and_run_groups() {
    install::packages_by_apt(
        || if install::find("chromium").is_some() { Vec::new() } else { vec!["chromium"] },
    );
    passes("more", 7);
}

#[test]
fn people_reply() {
    install::packages_by_apt(
        || if install::find("chromium").is_some() { Vec::new() } else { vec!["chromium"] },
    );
    passes("replies", 5);
}

#[test]
fn people_leave_it_open_type_signs_and_keep_nothing() {
    install::packages_by_apt(
        || if install::find("chromium").is_some() { Vec::new() } else { vec!["chromium"] },
    );
    passes("long", 4);
}

#[test]
fn the_page_is_small_and_strict_and_can_be_read() {
    passes("looks", 4);
}

#[test]
fn people_of_an_application_chat_in_its_page() {
    install::packages_by_apt(
        || if install::find("chromium").is_some() { Vec::new() } else { vec!["chromium"] },
    );
    passes("embed", 6);
}
