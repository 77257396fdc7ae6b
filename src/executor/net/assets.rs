//! The page, as it is compiled in: what stands where.

/// One file of the page.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// All of them.
pub(super) const ASSETS: &[Asset] = &[
    Asset { path: "/", kind: HTML, body: include_bytes!("../../../web/index.html") },
    Asset { path: "/account.js", kind: SCRIPT, body: include_bytes!("../../../web/account.js") },
    Asset { path: "/app.js", kind: SCRIPT, body: include_bytes!("../../../web/app.js") },
    Asset { path: "/asks.js", kind: SCRIPT, body: include_bytes!("../../../web/asks.js") },
    Asset { path: "/begin.js", kind: SCRIPT, body: include_bytes!("../../../web/begin.js") },
    Asset { path: "/changes.js", kind: SCRIPT, body: include_bytes!("../../../web/changes.js") },
    Asset { path: "/chatd.js", kind: SCRIPT, body: include_bytes!("../../../clients/js/chatd.js") },
    Asset { path: "/composer.js", kind: SCRIPT, body: include_bytes!("../../../web/composer.js") },
    Asset { path: "/connection.js", kind: SCRIPT, body: include_bytes!("../../../web/connection.js") },
    Asset { path: "/devices.js", kind: SCRIPT, body: include_bytes!("../../../web/devices.js") },
    Asset { path: "/elements.js", kind: SCRIPT, body: include_bytes!("../../../web/elements.js") },
    Asset { path: "/events.js", kind: SCRIPT, body: include_bytes!("../../../web/events.js") },
    Asset { path: "/gate.js", kind: SCRIPT, body: include_bytes!("../../../web/gate.js") },
    Asset { path: "/group.js", kind: SCRIPT, body: include_bytes!("../../../web/group.js") },
    Asset { path: "/heads.js", kind: SCRIPT, body: include_bytes!("../../../web/heads.js") },
    Asset { path: "/heard.js", kind: SCRIPT, body: include_bytes!("../../../web/heard.js") },
    Asset { path: "/icon.svg", kind: PICTURE, body: include_bytes!("../../../web/icon.svg") },
    Asset { path: "/kept.js", kind: SCRIPT, body: include_bytes!("../../../web/kept.js") },
    Asset { path: "/keys.js", kind: SCRIPT, body: include_bytes!("../../../web/keys.js") },
    Asset { path: "/lines.js", kind: SCRIPT, body: include_bytes!("../../../web/lines.js") },
    Asset { path: "/list.js", kind: SCRIPT, body: include_bytes!("../../../web/list.js") },
    Asset { path: "/more.js", kind: SCRIPT, body: include_bytes!("../../../web/more.js") },
    Asset { path: "/page.js", kind: SCRIPT, body: include_bytes!("../../../web/page.js") },
    Asset { path: "/panel.js", kind: SCRIPT, body: include_bytes!("../../../web/panel.js") },
    Asset { path: "/people.js", kind: SCRIPT, body: include_bytes!("../../../web/people.js") },
    Asset { path: "/reading.js", kind: SCRIPT, body: include_bytes!("../../../web/reading.js") },
    Asset { path: "/replies.js", kind: SCRIPT, body: include_bytes!("../../../web/replies.js") },
    Asset { path: "/room.js", kind: SCRIPT, body: include_bytes!("../../../web/room.js") },
    Asset { path: "/search.js", kind: SCRIPT, body: include_bytes!("../../../web/search.js") },
    Asset { path: "/settings.js", kind: SCRIPT, body: include_bytes!("../../../web/settings.js") },
    Asset { path: "/style.css", kind: STYLE, body: include_bytes!("../../../web/style.css") },
    Asset { path: "/talk.js", kind: SCRIPT, body: include_bytes!("../../../web/talk.js") },
    Asset { path: "/words.js", kind: SCRIPT, body: include_bytes!("../../../web/words.js") },
];
