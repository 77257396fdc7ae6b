-- Version 7, for messages that are edited, recalled and reacted to. Its twin, where the comments
-- are, is schema/sqlite/0007_changes.sql. What the twin has in dialogue is here in conversation, whose row is locked
-- by whoever changes something.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'message' AND column_name = 'rev') = 0,
    'ALTER TABLE message ADD COLUMN rev INT',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

CREATE TABLE IF NOT EXISTS uncounted (
    low    INT NOT NULL,
    high   INT NOT NULL,
    pos    BIGINT NOT NULL,
    sender INT NOT NULL,
    PRIMARY KEY (low, high, pos)
) ENGINE = InnoDB;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'conversation' AND column_name = 'uncounted') = 0,
    'ALTER TABLE conversation ADD COLUMN uncounted BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN chg BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'allgroup' AND column_name = 'uncounted') = 0,
    'ALTER TABLE allgroup ADD COLUMN uncounted BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN chg BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

CREATE TABLE IF NOT EXISTS changes (
    low     INT NOT NULL,
    high    INT NOT NULL,
    chg     BIGINT NOT NULL,
    pos     BIGINT NOT NULL,
    mid     BIGINT NOT NULL,
    kind    TINYINT NOT NULL,
    author  INT NOT NULL,
    ts      BIGINT NOT NULL,
    rev     INT NOT NULL,
    n       INT NOT NULL,
    content MEDIUMTEXT,
    PRIMARY KEY (low, high, chg),
    KEY changes_pos (low, high, pos)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS change_cid (
    author INT NOT NULL,
    cid    VARBINARY(255) NOT NULL,
    low    INT NOT NULL,
    high   INT NOT NULL,
    pos    BIGINT NOT NULL,
    chg    BIGINT NOT NULL,
    said   BIGINT,
    PRIMARY KEY (author, cid),
    KEY change_cid_pos (low, high, pos)
) ENGINE = InnoDB;

-- Emojis are compared by their bytes: as text, some are one.
CREATE TABLE IF NOT EXISTS reaction (
    low    INT NOT NULL,
    high   INT NOT NULL,
    pos    BIGINT NOT NULL,
    emoji  VARBINARY(255) NOT NULL,
    userid INT NOT NULL,
    PRIMARY KEY (low, high, pos, emoji, userid)
) ENGINE = InnoDB;
