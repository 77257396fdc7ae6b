-- Version 11, for users of another application, which signs for them. Its twin, where the comments are, is
-- schema/sqlite/0011_application.sql.

-- Bytes: of two texts that differ in blanks at their ends only, a collation would make one.
SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'user' AND column_name = 'external') = 0,
    'ALTER TABLE user ADD COLUMN external VARBINARY(190), ADD COLUMN disabled TINYINT NOT NULL DEFAULT 0,
        ADD UNIQUE INDEX user_external (external)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'expires') = 0,
    'ALTER TABLE token ADD COLUMN expires BIGINT',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
