-- Version 6, for several devices of a user: their names, read markers, and the list of a user's direct
-- conversations. Its twin, where the comments are, is schema/sqlite/0006_devices.sql.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'device') = 0,
    'ALTER TABLE token ADD COLUMN device VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        ADD COLUMN created BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- No foreign keys: whoever moves a marker would lock users.
CREATE TABLE IF NOT EXISTS dialogue (
    userid INT NOT NULL,
    peer   INT NOT NULL,
    marker BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (userid, peer)
) ENGINE = InnoDB;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'groupuser' AND column_name = 'marker') = 0,
    'ALTER TABLE groupuser ADD COLUMN marker BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

INSERT INTO dialogue (userid, peer, marker)
    SELECT userid, peer, marker FROM (
        SELECT userid, peer, MAX(pos) AS marker FROM (
            SELECT sender AS userid, recipient AS peer, pos FROM message WHERE recipient IS NOT NULL
            UNION ALL
            SELECT recipient, sender, pos FROM message WHERE recipient IS NOT NULL AND sender <> recipient
        ) AS seen GROUP BY userid, peer
    ) AS last
    ON DUPLICATE KEY UPDATE marker = VALUES(marker);
UPDATE dialogue JOIN (
    SELECT offlinemessage.userid AS userid, sender AS peer, MIN(pos) AS first
    FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
    WHERE recipient IS NOT NULL GROUP BY offlinemessage.userid, sender
) AS waiting ON dialogue.userid = waiting.userid AND dialogue.peer = waiting.peer
SET dialogue.marker = waiting.first - 1;
UPDATE groupuser SET marker = upto WHERE upto > joined;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'message' AND index_name = 'message_group') = 0,
    'ALTER TABLE message DROP INDEX message_pos, ADD INDEX message_group (groupid, pos, sender)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
