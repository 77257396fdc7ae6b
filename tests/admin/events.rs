//! `/debug/events`: what the cores did for a message, a session and a user, and nothing that was said.

use super::client::start;
use crate::common::client::group_chat;
use serde_json::json;

/// In every name and text of this test.
const CANARY: &str = "canary";

#[test]
fn a_message_and_its_sessions_are_followed_without_what_was_said() {
    let (chatd, admin) = start(2);
    let (amy, ben) = (chatd.register("canary amy"), chatd.register("canary ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    let group = amys.create_group("canary group");
    bens.join_group(group);
    amys.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "canary text", "cid": "canary"}));
    let mid = amys.hear_ack(CANARY)["mid"].as_str().expect("an id").to_owned();
    bens.hear_msg("canary text");
    amys.say(group_chat(amy.id, group, "canary text for all"));
    bens.hear_msg("canary text for all");
    bens.write(b"canary is no frame\0");
    bens.hear_error_and_end(100);

    // From the request to the push and the ACK, on whichever cores.
    let wanted = [
        "> request session=",
        "< store request=",
        "StoreMessage mid=",
        "< send session=",
        "> answered request=",
    ];
    let page = admin.until("all of the message", &format!("/debug/events?mid={mid}"), |page| {
        wanted.iter().all(|part| page.text().contains(part))
    });
    let said =
        page.text().lines().find(|line| line.contains("> request session=")).expect("looked for above");
    assert!(said.contains(&format!(" user={} msgid=6 bytes=", amy.id)), "{said}");
    assert!(page.text().lines().any(|line| line.contains("< send") && line.contains(&format!("mid={mid}"))));
    assert!(!page.text().contains("msgid=10"), "another message: {}", page.text());

    // The session that the request names, and the user who it is.
    let session = said.split("session=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a name");
    for path in [format!("/debug/events?session={session}"), format!("/debug/events?user={}", amy.id)] {
        let page = admin.body(&path);
        for part in ["msgid=1 ", "msgid=8 ", "msgid=6 ", "msgid=10 ", "LoadProfile", &format!("mid={mid}")] {
            assert!(page.contains(part), "{path} lacks {part}: {page}");
        }
        assert!(!page.contains("bad_frame"), "{path}: that was somebody else: {page}");
        assert!(!page.contains(CANARY));
    }
    let bens = admin.until("Ben's end", &format!("/debug/events?user={}", ben.id), |page| {
        page.text().contains("> bad_frame") && page.text().contains("> closed")
    });
    for page in [page.text(), bens.text(), &admin.body("/debug/events"), &admin.body("/debug/events?core=1")]
    {
        assert!(!page.contains(CANARY) && !page.is_empty(), "{page}");
    }
    assert_eq!(admin.body("/debug/events?session=0.4711.0"), "");
}

#[test]
fn what_cannot_be_asked_for_is_refused_with_what_can() {
    let (_chatd, admin) = start(1);
    for query in ["core=1", "session=1", "user=0", "mid=", "msg=hello", "core=0&mid=1"] {
        let page = admin.get(&format!("/debug/events?{query}"));
        assert_eq!(page.status, 400, "{query}");
        assert!(page.text().contains("session=0.17.2"), "{}", page.text());
    }
}
