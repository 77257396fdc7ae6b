-- Version 2, for the second dialect: places and history of direct messages, tokens, blocked users.
-- Its twin, where more comments are, is schema/sqlite/0002_second_dialect.sql.
--
-- MySQL commits every statement of this file by itself, so each can be repeated. An index or a column
-- that is there already cannot be made again, and MySQL has no IF NOT EXISTS for them: what is to be
-- done about them is worked out first.

-- The place of the last message between two users, the smaller id first. Several servers write: whoever
-- gives a place locks this row. refuses has 1 if low refuses the messages of high, and 2 if high
-- refuses those of low: whoever keeps a message reads the row anyway.
CREATE TABLE IF NOT EXISTS conversation (
    low     INT NOT NULL,
    high    INT NOT NULL,
    head    BIGINT NOT NULL DEFAULT 0,
    refuses TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (low, high),
    CHECK (low <= high)
) ENGINE = InnoDB;

UPDATE message JOIN (
    SELECT mid, ROW_NUMBER() OVER (
        PARTITION BY LEAST(sender, recipient), GREATEST(sender, recipient) ORDER BY mid
    ) AS place
    FROM message WHERE recipient IS NOT NULL
) AS numbered ON numbered.mid = message.mid
SET message.pos = numbered.place;

INSERT INTO conversation (low, high, head)
    SELECT low, high, head FROM (
        SELECT LEAST(sender, recipient) AS low, GREATEST(sender, recipient) AS high, MAX(pos) AS head
        FROM message WHERE recipient IS NOT NULL GROUP BY 1, 2
    ) AS last
    ON DUPLICATE KEY UPDATE head = VALUES(head);

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'message' AND index_name = 'message_direct') = 0,
    'CREATE INDEX message_direct ON message (sender, recipient, pos)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

CREATE TABLE IF NOT EXISTS history (
    one           TINYINT NOT NULL PRIMARY KEY,
    complete_from BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT INTO history (one, complete_from)
    SELECT 1, complete_from FROM (
        SELECT COALESCE(MAX(mid) + 1, 0) AS complete_from FROM message WHERE recipient IS NOT NULL
    ) AS found
    ON DUPLICATE KEY UPDATE complete_from = VALUES(complete_from);

CREATE TABLE IF NOT EXISTS alias (
    mid    BIGINT NOT NULL PRIMARY KEY,
    `stored` BIGINT NOT NULL
) ENGINE = InnoDB;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'allgroup' AND column_name = 'size') = 0,
    'ALTER TABLE allgroup ADD COLUMN size INT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
UPDATE allgroup SET size = (SELECT COUNT(*) FROM groupuser WHERE groupid = allgroup.id);

CREATE TABLE IF NOT EXISTS token (
    id     BIGINT NOT NULL PRIMARY KEY,
    userid INT NOT NULL,
    hash   BINARY(32) NOT NULL,
    used   BIGINT NOT NULL,
    KEY token_user (userid),
    FOREIGN KEY (userid) REFERENCES user (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS blocked (
    userid  INT NOT NULL,
    blocked INT NOT NULL,
    PRIMARY KEY (userid, blocked),
    FOREIGN KEY (userid) REFERENCES user (id),
    FOREIGN KEY (blocked) REFERENCES user (id),
    CHECK (userid <> blocked)
) ENGINE = InnoDB;
