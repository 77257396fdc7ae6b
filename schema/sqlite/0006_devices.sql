-- Version 6, for several devices of a user: their names, read markers, and the list of a user's direct
-- conversations. Its twin is schema/mysql/0006_devices.sql.

-- What the device calls itself that has a token, and when the token was made; 0 is before that was written down.
ALTER TABLE token ADD COLUMN device TEXT;
ALTER TABLE token ADD COLUMN created INTEGER NOT NULL DEFAULT 0; -- microseconds since the Unix epoch

-- A direct conversation as one of its two people sees it: two rows, one for what somebody says to itself, made with its
-- first message. The user has read everything up to place marker.
CREATE TABLE dialogue (
    userid INTEGER NOT NULL REFERENCES user (id),
    peer   INTEGER NOT NULL REFERENCES user (id),
    marker INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (userid, peer)
) STRICT, WITHOUT ROWID;
ALTER TABLE groupuser ADD COLUMN marker INTEGER NOT NULL DEFAULT 0;

-- Nobody could say before what was read. What was delivered counts as that: else all that was ever said were unread.
INSERT INTO dialogue (userid, peer, marker)
    SELECT userid, peer, max(pos) FROM (
        SELECT sender AS userid, recipient AS peer, pos FROM message WHERE recipient IS NOT NULL
        UNION ALL
        SELECT recipient, sender, pos FROM message WHERE recipient IS NOT NULL AND sender <> recipient
    ) GROUP BY userid, peer;
UPDATE dialogue SET marker = waiting.first - 1 FROM (
    SELECT offlinemessage.userid AS userid, sender AS peer, min(pos) AS first
    FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
    WHERE recipient IS NOT NULL GROUP BY 1, 2
) AS waiting WHERE dialogue.userid = waiting.userid AND dialogue.peer = waiting.peer;
UPDATE groupuser SET marker = upto WHERE upto > joined;

-- How many messages of a group are a user's own is counted in this index, and no message is looked at.
DROP INDEX message_pos;
CREATE INDEX message_group ON message (groupid, pos, sender) WHERE groupid IS NOT NULL;
