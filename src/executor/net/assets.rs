//! The page, as it is compiled in: what stands where.

/// One file of the page.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";

/// All of them.
pub(super) const ASSETS: &[Asset] =
    &[Asset { path: "/", kind: HTML, body: include_bytes!("../../../web/index.html") }];
