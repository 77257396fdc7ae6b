-- Version 9, for friendships that are asked for, and settings of users. Its twin is schema/mysql/0009_consent.sql.

-- asker asks userid for its friendship, which has not answered. cid is the asker's own name for that. One that was asked
-- while userid blocked asker is dropped: nobody but its asker ever learns of it.
CREATE TABLE friend_ask (
    userid  INTEGER NOT NULL REFERENCES user (id),
    asker   INTEGER NOT NULL REFERENCES user (id),
    note    TEXT NOT NULL,
    cid     TEXT,
    dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (userid, asker),
    CHECK (userid <> asker)
) STRICT, WITHOUT ROWID;
CREATE INDEX friend_ask_asker ON friend_ask (asker);

-- What a user has chosen; whoever has no row takes everybody's messages and tells what it has read.
CREATE TABLE setting (
    userid        INTEGER PRIMARY KEY REFERENCES user (id),
    who_writes    TEXT NOT NULL CHECK (who_writes IN ('all', 'friends', 'none')),
    read_receipts INTEGER NOT NULL
) STRICT;
