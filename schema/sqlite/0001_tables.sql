-- The tables of chatd, version 1, for the embedded store. Its twin is schema/mysql/0001_tables.sql.
--
-- Text is compared byte by byte. Ids of users and groups are never used twice, and stay within the
-- signed 32 bits that the original client reads them into.

CREATE TABLE user (
    id       INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 2147483647),
    name     TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL -- a PHC string, $argon2id$...
) STRICT;

-- One direction: friendid is on the list of userid.
CREATE TABLE friend (
    userid   INTEGER NOT NULL REFERENCES user (id),
    friendid INTEGER NOT NULL REFERENCES user (id),
    PRIMARY KEY (userid, friendid),
    CHECK (userid <> friendid)
) STRICT, WITHOUT ROWID;

-- head is the place of the last message stored; the next one gets head + 1. A group whose name is
-- NULL was dissolved: it is no group any more, only the last of its messages are still being deleted.
CREATE TABLE allgroup (
    id        INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 2147483647),
    groupname TEXT UNIQUE,
    groupdesc TEXT NOT NULL,
    head      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A member has everything of the group up to place upto, and may see what came after place joined.
-- The key begins with the user: its backlog and the moves of its cursors then touch neighbours.
CREATE TABLE groupuser (
    userid    INTEGER NOT NULL REFERENCES user (id),
    groupid   INTEGER NOT NULL REFERENCES allgroup (id),
    grouprole TEXT NOT NULL CHECK (grouprole IN ('creator', 'normal')),
    joined    INTEGER NOT NULL,
    upto      INTEGER NOT NULL,
    PRIMARY KEY (userid, groupid)
) STRICT, WITHOUT ROWID;
CREATE INDEX groupuser_members ON groupuser (groupid, userid, grouprole);

-- Every message that is kept, once, whoever it is for: recipient, or groupid and its place pos.
-- cid is the sender's own name for it. body is the frame as it is pushed.
CREATE TABLE message (
    mid       INTEGER PRIMARY KEY,
    ts        INTEGER NOT NULL, -- milliseconds since the Unix epoch
    sender    INTEGER NOT NULL REFERENCES user (id),
    recipient INTEGER REFERENCES user (id),
    groupid   INTEGER REFERENCES allgroup (id),
    pos       INTEGER,
    cid       TEXT,
    body      TEXT NOT NULL,
    CHECK ((recipient IS NULL) <> (groupid IS NULL)),
    CHECK (groupid IS NULL OR pos IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX message_cid ON message (cid, sender) WHERE cid IS NOT NULL;
CREATE UNIQUE INDEX message_pos ON message (groupid, pos) WHERE groupid IS NOT NULL;

-- What is owed to a user by itself: all direct messages that it has not got, and group messages
-- that got lost on their way. What it lacks of its groups otherwise is told by groupuser.upto.
CREATE TABLE offlinemessage (
    userid INTEGER NOT NULL REFERENCES user (id),
    mid    INTEGER NOT NULL REFERENCES message (mid) ON DELETE CASCADE,
    PRIMARY KEY (userid, mid)
) STRICT, WITHOUT ROWID;
CREATE INDEX offlinemessage_mid ON offlinemessage (mid);
