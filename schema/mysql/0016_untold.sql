-- Version 16, for what is told of members of groups who have not confirmed what was said. Its twin, where the comments are,
-- is schema/sqlite/0016_untold.sql.

-- No foreign key: whoever moves a row on would lock its group.
CREATE TABLE IF NOT EXISTS untold (
    groupid INT NOT NULL PRIMARY KEY,
    pos     BIGINT NOT NULL,
    ts      BIGINT NOT NULL,
    upto    BIGINT NOT NULL DEFAULT 0,
    member  INT NOT NULL DEFAULT 0,
    KEY untold_ts (ts)
) ENGINE = InnoDB;
