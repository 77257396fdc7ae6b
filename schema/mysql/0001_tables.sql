-- The tables of chatd, version 1, for MySQL 8 and MariaDB 10.5 or newer. Its twin, where the
-- comments are, is schema/sqlite/0001_tables.sql.
--
-- MySQL commits every statement of this file by itself: each can be repeated, and the version is
-- written last, by whoever runs the file.
--
-- Text is utf8mb4 and compared byte by byte. utf8mb4_bin alone would take 'amy' and 'amy ' for one
-- name (it pads with spaces), so what must be unique by its bytes is unique as bytes.

CREATE TABLE IF NOT EXISTS chatd_schema (
    version INT NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS user (
    id         INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name       VARCHAR(255) NOT NULL,
    name_bytes VARBINARY(1020) GENERATED ALWAYS AS (CAST(name AS BINARY)) STORED,
    password   VARCHAR(255) NOT NULL,
    UNIQUE KEY user_name (name_bytes)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friend (
    userid   INT NOT NULL,
    friendid INT NOT NULL,
    PRIMARY KEY (userid, friendid),
    FOREIGN KEY (userid) REFERENCES user (id),
    FOREIGN KEY (friendid) REFERENCES user (id),
    CHECK (userid <> friendid)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS allgroup (
    id              INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    groupname       VARCHAR(255),
    groupname_bytes VARBINARY(1020) GENERATED ALWAYS AS (CAST(groupname AS BINARY)) STORED,
    groupdesc       VARCHAR(1000) NOT NULL,
    head            BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY allgroup_name (groupname_bytes)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS groupuser (
    userid    INT NOT NULL,
    groupid   INT NOT NULL,
    grouprole ENUM ('creator', 'normal') NOT NULL,
    joined    BIGINT NOT NULL,
    upto      BIGINT NOT NULL,
    PRIMARY KEY (userid, groupid),
    KEY groupuser_members (groupid, userid, grouprole),
    FOREIGN KEY (userid) REFERENCES user (id),
    FOREIGN KEY (groupid) REFERENCES allgroup (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS message (
    mid       BIGINT NOT NULL PRIMARY KEY,
    ts        BIGINT NOT NULL,
    sender    INT NOT NULL,
    recipient INT,
    groupid   INT,
    pos       BIGINT,
    cid       VARBINARY(255),
    body      MEDIUMTEXT NOT NULL,
    CHECK ((recipient IS NULL) <> (groupid IS NULL)),
    CHECK (groupid IS NULL OR pos IS NOT NULL),
    UNIQUE KEY message_cid (cid, sender),
    UNIQUE KEY message_pos (groupid, pos)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS offlinemessage (
    userid INT NOT NULL,
    mid    BIGINT NOT NULL,
    PRIMARY KEY (userid, mid),
    KEY offlinemessage_mid (mid),
    FOREIGN KEY (mid) REFERENCES message (mid) ON DELETE CASCADE
) ENGINE = InnoDB;
