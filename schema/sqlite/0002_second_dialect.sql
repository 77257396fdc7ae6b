-- Version 2, for the second dialect: places and history of direct messages, tokens, blocked users.
-- Its twin is schema/mysql/0002_second_dialect.sql.

-- A direct message has a place in the conversation of its two people, as a group message has one in
-- its group. Those of before get theirs in the order of their ids. There is no row for a
-- conversation: its head is the last of these two ranges, sender to recipient and back, which are
-- also what its history is read from. One process writes, so nobody can take a place meanwhile.
UPDATE message SET pos = numbered.pos FROM (
    SELECT mid, row_number() OVER (
        PARTITION BY min(sender, recipient), max(sender, recipient) ORDER BY mid
    ) AS pos
    FROM message WHERE recipient IS NOT NULL
) AS numbered WHERE message.mid = numbered.mid;
CREATE INDEX message_direct ON message (sender, recipient, pos) WHERE recipient IS NOT NULL;

-- The one row says from which message id on all direct messages are here: those of before were
-- stored only if they were acknowledged or nobody heard them. The greatest number means never.
CREATE TABLE history (
    complete_from INTEGER NOT NULL
) STRICT;
INSERT INTO history (complete_from) SELECT coalesce(max(mid) + 1, 0) FROM message WHERE recipient IS NOT NULL;

-- A message came again under another id: what is said of mid is meant of stored.
CREATE TABLE alias (
    mid    INTEGER PRIMARY KEY,
    stored INTEGER NOT NULL
) STRICT;

-- How many members a group has, so that nobody has to count them at every login.
ALTER TABLE allgroup ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE allgroup SET size = (SELECT count(*) FROM groupuser WHERE groupid = allgroup.id);

-- A user's tokens. Their text is stored nowhere: hash is its SHA-256, id the beginning of that.
CREATE TABLE token (
    id     INTEGER PRIMARY KEY,
    userid INTEGER NOT NULL REFERENCES user (id),
    hash   BLOB NOT NULL,
    used   INTEGER NOT NULL -- microseconds since the Unix epoch
) STRICT;
CREATE INDEX token_user ON token (userid);

-- userid refuses direct messages of blocked.
CREATE TABLE blocked (
    userid  INTEGER NOT NULL REFERENCES user (id),
    blocked INTEGER NOT NULL REFERENCES user (id),
    PRIMARY KEY (userid, blocked),
    CHECK (userid <> blocked)
) STRICT, WITHOUT ROWID;
