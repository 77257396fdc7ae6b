//! Why a frame is not a request, and what becomes of its connection.

use crate::wire::code::Code;
use std::borrow::Cow;

/// What happens to the connection after a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The object was well formed: ERROR, and the connection lives on.
    Answer,
    /// The stream can not be trusted any more: ERROR, and close.
    Close,
}

/// Why a frame is not a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// errno.
    pub code: Code,
    /// errmsg: names the field, never repeats its content.
    pub text: Cow<'static, str>,
    /// The msgid, where it could be read.
    pub re: Option<u32>,
    /// The cid, where it could be read.
    pub cid: Option<String>,
    /// What happens then.
    pub severity: Severity,
}

impl Fault {
    /// A frame over the bound.
    pub fn frame_too_large() -> Self {
        Self::closing(Code::TooLarge, "frame too large")
    }

    /// Bytes that are no frame.
    pub(super) fn not_a_frame() -> Self {
        Self::closing(Code::NotAFrame, Code::NotAFrame.text())
    }

    /// The stream can not be trusted any more, as this sentence says.
    pub fn closing(code: Code, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text), re: None, cid: None, severity: Severity::Close }
    }
}
