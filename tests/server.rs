//! The real chatd: started, talked to, ill-treated, killed and started again.
//!
//! Every test has servers of its own, on port 0 and in a directory of its own. Nothing sleeps.

use chatd_testing as common;

/// One file for each thing that can go wrong.
mod server {
    mod auth_hook;
    mod backlog;
    mod clocks;
    mod configuration;
    mod connections;
    mod crowd;
    mod damaged;
    mod draining;
    mod ending;
    mod floods;
    mod hostile;
    mod identity;
    mod jwt;
    mod limits;
    mod log;
    mod logging;
    mod login;
    mod original;
    mod passwords;
    mod proxies;
    mod reading;
    mod registering;
    mod seed;
    mod shouting;
    mod signals;
    mod slow;
    mod starting;
    mod supervised;
    mod texts;
    mod v2_changes;
    mod v2_hostile;
    mod v2_presence;
    mod v2_probing;
    mod v2_random;
    mod v2_safe;
    mod v2_session;
}
