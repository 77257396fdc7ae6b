//! What the allocator does with large blocks that are freed: it gives them back to the system.

/// Blocks from this size on are mapped by themselves, and unmapped when they are freed. Below it lie the
/// outboxes and the half-read frames of ordinary messages, which are freed and needed again all the time.
const MAPPED_BYTES: libc::c_int = 32 << 10;

/// Says so to the allocator, once, before the cores start. Left to itself it raises the bound to the
/// largest block that was ever freed, and keeps what lies between blocks that are still in use.
pub(super) fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers. It fails on values that the allocator does not take: then all is as before.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
    }
}
