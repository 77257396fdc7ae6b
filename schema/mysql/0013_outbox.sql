-- Version 13, for webhooks. Its twin, where the comments are, is schema/sqlite/0013_outbox.sql.

CREATE TABLE IF NOT EXISTS outbox (
    id     BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    ts     BIGINT NOT NULL,
    events INT NOT NULL,
    body   MEDIUMBLOB NOT NULL
) ENGINE = InnoDB;

-- The one row says which server posts, and until when, by the clock of the database.
CREATE TABLE IF NOT EXISTS outbox_poster (
    one              TINYINT NOT NULL PRIMARY KEY,
    holder           BIGINT NOT NULL,
    expires          DATETIME(3) NOT NULL,
    undelivered_upto BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO outbox_poster (one, holder, expires, undelivered_upto) VALUES (1, 0, '2000-01-01', 0);

-- Backlog entries of messages that were stored long after they were sent: whoever looks for those that nobody has
-- confirmed may be beyond their ids.
CREATE TABLE IF NOT EXISTS undelivered_late (
    mid    BIGINT NOT NULL,
    userid INT NOT NULL,
    PRIMARY KEY (mid, userid)
) ENGINE = InnoDB;
