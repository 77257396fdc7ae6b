//! What may be heard.
