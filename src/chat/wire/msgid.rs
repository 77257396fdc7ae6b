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
