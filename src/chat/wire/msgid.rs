//! The numbers of the messages, as protocol.md fixes them.

/// C→S: id (or name in v2), password.
pub const LOGIN: u32 = 1;
/// S→C: errno, id, name, friends, groups, offlinemsg.
pub const LOGIN_ACK: u32 = 2;
/// C→S: id. The connection stays and may log in again.
pub const LOGOUT: u32 = 3;
/// C→S: name, password.
pub const REGISTER: u32 = 4;
/// S→C: errno, id.
pub const REGISTER_ACK: u32 = 5;
/// Both: id, name, toid, msg, time.
pub const ONE_CHAT: u32 = 6;
/// C→S: id, friendid.
pub const ADD_FRIEND: u32 = 7;
/// C→S: id, groupname, groupdesc.
pub const CREATE_GROUP: u32 = 8;
/// C→S: id, groupid.
pub const ADD_GROUP: u32 = 9;
/// Both: id, name, groupid, msg, time.
pub const GROUP_CHAT: u32 = 10;
/// C→S: id, groupid. The creator dissolves the group, any other member leaves it.
pub const DEL_GROUP: u32 = 11;
/// C→S: id, friendid.
pub const DEL_FRIEND: u32 = 12;
/// C→S: id. S→C: errno, friends.
pub const SHOW_FRIENDS: u32 = 13;
/// S→C: cid, re, errno and what the answer carries.
pub const ACK: u32 = 20;
/// S→C: errno, errmsg, re, cid.
pub const ERROR: u32 = 21;
/// Both, v2: n.
pub const PING: u32 = 22;
/// Both, v2: n, echoed.
pub const PONG: u32 = 23;
/// C→S, v2: mids.
pub const CONFIRM: u32 = 24;
/// C→S, v2: token. Answered with LOGIN_ACK.
pub const RESUME: u32 = 25;
/// C→S, v2: with or groupid, before or after, limit.
pub const HISTORY: u32 = 26;
/// S→C, v2: messages, complete.
pub const HISTORY_ACK: u32 = 27;
/// S→C, v2: id, state.
pub const PRESENCE: u32 = 28;
/// C→S, v2: name or id.
pub const FIND: u32 = 29;
/// S→C, v2: id, name, state.
pub const FIND_ACK: u32 = 30;
/// C→S, v2: old, new.
pub const PASSWORD: u32 = 31;
/// C→S, v2: userid.
pub const BLOCK: u32 = 32;
/// C→S, v2: userid.
pub const UNBLOCK: u32 = 33;
/// C→S, v2: groupid, after, limit.
pub const MEMBERS: u32 = 34;
/// S→C, v2: users, complete.
pub const MEMBERS_ACK: u32 = 35;
/// C→S, v2: since and limit, or before_mid and limit.
pub const SYNC: u32 = 36;
/// S→C, v2: convs, complete, or heads, heads_complete.
pub const SYNC_ACK: u32 = 37;
/// Both, v2: with or groupid, pos; C→S private, S→C id.
pub const READ: u32 = 38;
/// Both, v2: with or groupid, on; S→C id, expires_ms.
pub const TYPING: u32 = 39;
/// C→S, v2.
pub const DEVICES: u32 = 40;
/// S→C, v2: devices.
pub const DEVICES_ACK: u32 = 41;
/// C→S, v2: deviceid.
pub const DROP_DEVICE: u32 = 42;
/// C→S, v2: with or groupid, pos, msg.
pub const EDIT: u32 = 43;
/// C→S, v2: with or groupid, pos.
pub const RECALL: u32 = 44;
/// C→S, v2: with or groupid, pos, emoji, on.
pub const REACT: u32 = 45;
/// S→C, v2: with or groupid, chg, pos, kind, by, ts, and what the kind has.
pub const CHANGED: u32 = 46;
/// C→S, v2: groupid, userid, role.
pub const ROLE: u32 = 47;
/// C→S, v2: groupid, userid, ban_until.
pub const KICK: u32 = 48;
/// C→S, v2: groupid, userid or all, until.
pub const MUTE: u32 = 49;
/// C→S, v2: groupid, groupname, groupdesc, join.
pub const GROUP_SET: u32 = 50;
/// S→C, v2: groupid, pos, what, by, userid.
pub const GROUP_EVENT: u32 = 51;
/// C→S, v2: userid, note.
pub const FRIEND_ASK: u32 = 52;
/// C→S, v2: userid, yes.
pub const FRIEND_ANSWER: u32 = 53;
/// S→C, v2: id, name, what, note.
pub const FRIEND_EVENT: u32 = 54;
/// C→S, v2: groupid, userid, yes.
pub const JOIN_ANSWER: u32 = 55;
/// C→S, v2: groupid.
pub const JOINS: u32 = 56;
/// C→S, v2: q, with or groupid, before_mid, limit.
pub const SEARCH: u32 = 57;
/// S→C, v2: messages, complete.
pub const SEARCH_ACK: u32 = 58;
/// C→S, v2: token, kind.
pub const PUSH_TOKEN: u32 = 59;
/// Both, v2: who_writes, read_receipts.
pub const SETTINGS: u32 = 60;
/// S→C, v2: with or groupid, places.
pub const STORED: u32 = 61;

/// Whether a request is one by which people come in.
pub const fn is_entrance(msgid: u32) -> bool {
    matches!(msgid, LOGIN | REGISTER | RESUME)
}

/// Whether a request is one that a session of v1 does not know.
pub const fn is_of_v2(msgid: u32) -> bool {
    matches!(
        msgid,
        PONG | CONFIRM
            | HISTORY
            | FIND
            | PASSWORD
            | BLOCK
            | UNBLOCK
            | MEMBERS
            | SYNC
            | READ
            | TYPING
            | DEVICES
            | DROP_DEVICE
            | PUSH_TOKEN
            | EDIT
            | RECALL
            | REACT
            | SEARCH
            | FRIEND_ASK
            | FRIEND_ANSWER
            | SETTINGS
            | ROLE
            | KICK
            | MUTE
            | GROUP_SET
            | JOIN_ANSWER
            | JOINS
    )
}
