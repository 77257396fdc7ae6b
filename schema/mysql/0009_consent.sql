-- Version 9, for friendships that are asked for, and settings of users. Its twin, where the comments
-- are, is schema/sqlite/0009_consent.sql.

CREATE TABLE IF NOT EXISTS friend_ask (
    userid  INT NOT NULL,
    asker   INT NOT NULL,
    note    VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    cid     VARBINARY(255),
    dropped TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (userid, asker),
    KEY friend_ask_asker (asker),
    FOREIGN KEY (userid) REFERENCES user (id),
    FOREIGN KEY (asker) REFERENCES user (id),
    CHECK (userid <> asker)
) ENGINE = InnoDB;

-- conversation.refuses also has 4 if low takes no message of high because of what it has chosen, and 8 if
-- high takes none of low. A conversation that is new is marked with its first message.
CREATE TABLE IF NOT EXISTS setting (
    userid        INT NOT NULL PRIMARY KEY,
    who_writes    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    read_receipts TINYINT NOT NULL,
    FOREIGN KEY (userid) REFERENCES user (id)
) ENGINE = InnoDB;

-- Who chooses anew has all of its conversations marked.
SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'conversation' AND index_name = 'conversation_high') = 0,
    'CREATE INDEX conversation_high ON conversation (high)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
