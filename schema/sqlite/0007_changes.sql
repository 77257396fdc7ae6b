-- Version 7, for messages that are edited, recalled and reacted to. Its twin is schema/mysql/0007_changes.sql.
--
-- A conversation is two numbers in these tables: its two users, the smaller id first; or 0 and a group.

-- What became of a message since it was said: nothing (NULL), edited so many times (0 or more, and only then it may have
-- reactions), recalled (-1, and then its body is empty).
ALTER TABLE message ADD COLUMN rev INTEGER;

-- Places that never count as unread: of recalled messages, and of rows that are no messages. sender is whose it is, as
-- in message. Whoever adds a place also raises uncounted of the conversation (both rows of a dialogue, or the group) to
-- it: beyond that there is none, and nobody looks.
CREATE TABLE uncounted (
    low    INTEGER NOT NULL,
    high   INTEGER NOT NULL,
    pos    INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    PRIMARY KEY (low, high, pos)
) STRICT, WITHOUT ROWID;
ALTER TABLE dialogue ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE allgroup ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;

-- The changes of a conversation, from 1 without gaps; chg of the conversation is how many there are. kind: 1 an edit,
-- 2 a recall, 3 a reaction, 4 one that is taken back. rev is the message's after it; n is how many react so after it;
-- content is the new text, or the emoji. Once a message is recalled, all of its changes are that recall.
CREATE TABLE changes (
    low     INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    chg     INTEGER NOT NULL,
    pos     INTEGER NOT NULL,
    mid     INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    author  INTEGER NOT NULL,
    ts      INTEGER NOT NULL, -- milliseconds since the Unix epoch
    rev     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    content TEXT,
    PRIMARY KEY (low, high, chg)
) STRICT;
CREATE INDEX changes_pos ON changes (low, high, pos);
ALTER TABLE dialogue ADD COLUMN chg INTEGER NOT NULL DEFAULT 0;
ALTER TABLE allgroup ADD COLUMN chg INTEGER NOT NULL DEFAULT 0;

-- What was asked for under which name, also if it changed nothing, and how it was answered. said tells contents apart,
-- and is forgotten with a message that is recalled.
CREATE TABLE change_cid (
    author INTEGER NOT NULL,
    cid    TEXT NOT NULL,
    low    INTEGER NOT NULL,
    high   INTEGER NOT NULL,
    pos    INTEGER NOT NULL,
    chg    INTEGER NOT NULL,
    said   INTEGER,
    PRIMARY KEY (author, cid)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_cid_pos ON change_cid (low, high, pos);

CREATE TABLE reaction (
    low    INTEGER NOT NULL,
    high   INTEGER NOT NULL,
    pos    INTEGER NOT NULL,
    emoji  TEXT NOT NULL,
    userid INTEGER NOT NULL,
    PRIMARY KEY (low, high, pos, emoji, userid)
) STRICT, WITHOUT ROWID;
