-- The servers of this database, so that they notice whom they do not hear on the bus. Times are UTC, by the
-- clock of the database.

CREATE TABLE IF NOT EXISTS chatd_server (
    id BIGINT NOT NULL,
    -- Where it is, for people.
    place VARCHAR(200) NOT NULL,
    cores INT NOT NULL,
    -- Two servers that say the same are on one bus. Empty, it is not known.
    bus VARCHAR(200) NOT NULL,
    -- 0 while it does not hear another server that lives.
    hears_all TINYINT NOT NULL,
    started DATETIME(3) NOT NULL,
    heartbeat DATETIME(3) NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
