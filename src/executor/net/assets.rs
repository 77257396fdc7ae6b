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
    Asset { path: "/app.js", kind: SCRIPT, body: include_bytes!("../../../web/app.js") },
    Asset { path: "/chatd.js", kind: SCRIPT, body: include_bytes!("../../../clients/js/chatd.js") },
    Asset { path: "/icon.svg", kind: PICTURE, body: include_bytes!("../../../web/icon.svg") },
    Asset { path: "/style.css", kind: STYLE, body: include_bytes!("../../../web/style.css") },
];
