//! What a database of a version holds: users, friends, groups, messages of both kinds, some of them with a name and some
//! that wait; and what later versions brought. In SQL that both kinds of database understand.

/// A hundredth as many users, and a tenth of those are groups.
pub struct Size {
    pub messages: u64,
    pub users: u64,
    pub groups: u64,
}

/// How many messages there are: `UPGRADE_MESSAGES`, or as many as take no time.
pub fn size() -> Size {
    let messages = std::env::var("UPGRADE_MESSAGES").map_or(10_000, |text| text.parse().expect("a number"));
    assert!(messages >= 2_000, "too few for any of them to have neighbours");
    Size { messages, users: messages / 100, groups: messages / 1_000 }
}

/// The numbers from 1 on, as a table `n` with a column `n`.
pub type Numbers = fn(u64) -> String;

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// What a program of this version may have written that one of the version before could not. The first has most of it.
pub fn of_version(version: usize, size: &Size, numbers: Numbers) -> String {
    let Size { users, groups, .. } = size;
    let (each_user, each_group) = (numbers(*users), numbers(*groups));
    match version {
        1 => first(size, numbers),
        2 => format!(
            "INSERT INTO token (id, userid, hash, used)
             SELECT n, n, x'3031323334353637383930313233343536373839303132333435363738393031', 4102444800000000 FROM {each_user};
             INSERT INTO blocked (userid, blocked) SELECT n, 1 + n % {users} FROM {each_user};"
        ),
        // Which the program works out itself: these names are what they are folded to.
        3 => "UPDATE user SET folded = name; UPDATE allgroup SET folded = groupname;".to_owned(),
        6 => "UPDATE token SET device = 'phone', created = 1000000;
              UPDATE groupuser SET marker = 1;"
            .to_owned(),
        7 => format!(
            "UPDATE message SET rev = 0 WHERE groupid IS NOT NULL AND pos = 1;
             INSERT INTO reaction (low, high, pos, emoji, userid) SELECT 0, n, 1, '!', 1 FROM {each_group};"
        ),
        8 => format!(
            "UPDATE groupuser SET admin = 1 WHERE userid % 7 = 0 AND grouprole = 'normal';
             INSERT INTO grouprule (groupid, userid, banned, muted) SELECT n, {users}, -1, 0 FROM {each_group};"
        ),
        9 => format!(
            "INSERT INTO setting (userid, who_writes, read_receipts) SELECT n, 'friends', 1 FROM {each_user};
             INSERT INTO friend_ask (userid, asker, note) SELECT n, 1 + (n + 3) % {users}, 'may I?' FROM {each_user};"
        ),
        11 => "UPDATE user SET external = concat('theirs ', id) WHERE id % 2 = 0;".to_owned(),
        _ => String::new(),
    }
}

fn first(size: &Size, numbers: Numbers) -> String {
    let Size { messages, users, groups } = size;
    let (to_groups, direct) = (messages / 4, messages - messages / 4);
    let (each_user, each_group) = (numbers(*users), numbers(*groups));
    // Eight people to whom each writes, again and again.
    let peer = format!("1 + (7 * n + 1 + ((n - n % {users}) / {users}) % 8) % {users}");
    let frame = r#"concat('{"id":', n, ',"msg":"the words of message ', n, ' and some more","msgid":6,"name":"somebody"}')"#;
    format!(
        "INSERT INTO user (id, name, password) SELECT n, concat('user', n), '{HASH}' FROM {each_user};
         INSERT INTO friend (userid, friendid) SELECT n, 1 + n % {users} FROM {each_user};
         INSERT INTO allgroup (id, groupname, groupdesc) SELECT n, concat('group', n), 'a group' FROM {each_group};
         INSERT INTO groupuser (userid, groupid, grouprole, joined, upto)
         SELECT n, 1 + (n - 1) % {groups}, CASE WHEN n <= {groups} THEN 'creator' ELSE 'normal' END, 0, 1 FROM {each_user};
         INSERT INTO message (mid, ts, sender, recipient, cid, body)
         SELECT n * 8192, n, 1 + n % {users}, {peer}, CASE WHEN n % 3 = 0 THEN concat('c', n) END, {frame} FROM {};
         INSERT INTO message (mid, ts, sender, groupid, pos, body)
         SELECT n * 8192 + 4096, n, 1 + n % {users}, 1 + (n - 1) % {groups},
             1 + (n - 1 - (n - 1) % {groups}) / {groups}, {frame} FROM {};
         UPDATE allgroup SET head = (SELECT coalesce(max(pos), 0) FROM message WHERE groupid = allgroup.id);
         INSERT INTO offlinemessage (userid, mid)
         SELECT recipient, mid FROM message WHERE recipient IS NOT NULL AND mid % 163840 = 8192;",
        numbers(direct),
        numbers(to_groups),
    )
}

/// How many direct messages have no place, or not the one that their order gives them.
pub const MISPLACED: &str = "SELECT count(*) FROM (
    SELECT pos, row_number() OVER (PARTITION BY low, high ORDER BY mid) AS place FROM (
        SELECT mid, pos, CASE WHEN sender < recipient THEN sender ELSE recipient END AS low,
            CASE WHEN sender < recipient THEN recipient ELSE sender END AS high
        FROM message WHERE recipient IS NOT NULL) AS direct) AS numbered
    WHERE pos IS NULL OR pos <> place";

/// Whether a column stays what it was from this version on. Places of direct messages are given by version 2; what is
/// counted for the whole database goes on being counted.
pub fn stays(version: usize, table: &str, column: &str) -> bool {
    let is_counted_on = matches!(table, "history" | "chatd_schema" | "chatd_server" | "sqlite_sequence");
    let is_given = version == 1 && (table, column) == ("message", "pos");
    !is_counted_on && !is_given
}
