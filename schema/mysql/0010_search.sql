-- Version 10, for the search of messages. Its twin, where the comments are, is schema/sqlite/0010_search.sql. Where runs
-- are is looked up in an index of its own, without their bytes. What is to be indexed anew has numbers: what is written
-- down again while it is being indexed stays.

CREATE TABLE IF NOT EXISTS search (
    low   INT NOT NULL,
    high  INT NOT NULL,
    first BIGINT NOT NULL,
    run   MEDIUMBLOB NOT NULL,
    PRIMARY KEY (low, high, first),
    KEY search_first (low, high, first)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS search_again (
    id  BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    mid BIGINT NOT NULL
) ENGINE = InnoDB;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'history' AND column_name = 'searched_upto') = 0,
    'ALTER TABLE history ADD COLUMN searched_upto BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
