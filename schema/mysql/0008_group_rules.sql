-- Version 8, for groups that are run: roles, bans, mutes, requests to join. Its twin, where the comments
-- are, is schema/sqlite/0008_group_rules.sql.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'allgroup' AND column_name = 'joining') = 0,
    'ALTER TABLE allgroup ADD COLUMN joining VARCHAR(8) NOT NULL DEFAULT ''open'',
        ADD COLUMN muted BIGINT NOT NULL DEFAULT 0, ADD COLUMN muted_at BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'groupuser' AND column_name = 'ruled') = 0,
    'ALTER TABLE groupuser ADD COLUMN admin TINYINT NOT NULL DEFAULT 0,
        ADD COLUMN muted BIGINT NOT NULL DEFAULT 0, ADD COLUMN ruled BIGINT NOT NULL DEFAULT 0',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- No foreign keys: whoever changes a rule has locked its group.
CREATE TABLE IF NOT EXISTS grouprule (
    groupid INT NOT NULL,
    userid  INT NOT NULL,
    banned  BIGINT NOT NULL DEFAULT 0,
    muted   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (groupid, userid)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS grouprequest (
    groupid INT NOT NULL,
    userid  INT NOT NULL,
    ts      BIGINT NOT NULL,
    PRIMARY KEY (groupid, userid)
) ENGINE = InnoDB;
