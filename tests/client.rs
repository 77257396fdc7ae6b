//! chat, the terminal client, and its library: on a real pseudo-terminal, against the real chatd.
//!
//! What is looked at is the screen that a terminal would show. Nothing sleeps: whoever waits, waits
//! for something to be seen.

use chatd_testing as common;

/// One file for each thing that can go wrong.
mod client {
    mod changes;
    mod conversation;
    mod devices;
    mod dialects;
    mod ending;
    mod hostile;
    mod library;
    mod library_changes;
    mod library_devices;
    mod library_friends;
    mod library_groups;
    mod library_search;
    mod picture;
    mod program;
    mod relay;
    mod screen;
    mod script;
    mod script_v2;
    mod second_dialect;
    mod stand_in;
    mod typing;
    mod vouched;
}
