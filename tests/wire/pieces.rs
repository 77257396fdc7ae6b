//! The frames of a stream that comes in pieces, cut anywhere, as a connection sees it.

use chatd::chat::wire::frame::{self, Step};

/// Calls `hear` with each frame, without its terminator, in their order.
pub fn each_frame<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, mut hear: impl FnMut(&[u8])) {
    let (mut input, mut searched) = (Vec::new(), 0);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match frame::next(&input, 0, searched, 65_536) {
                Step::Frame { start, end, next, .. } => {
                    hear(&input[start..end]);
                    input.drain(..next);
                    searched = 0;
                }
                Step::Partial { start } => {
                    input.drain(..start);
                    searched = input.len();
                    break;
                }
                Step::TooLarge => panic!("too large"),
            }
        }
    }
}
