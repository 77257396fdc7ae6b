-- Version 3: names that differ only in case, width or composition are one name. Its twin, where the comments
-- are, is schema/sqlite/0003_one_name.sql.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'user' AND column_name = 'folded') = 0,
    'ALTER TABLE user ADD COLUMN folded VARBINARY(2048), ADD UNIQUE KEY user_folded (folded)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'allgroup' AND column_name = 'folded') = 0,
    'ALTER TABLE allgroup ADD COLUMN folded VARBINARY(2048), ADD UNIQUE KEY allgroup_folded (folded)',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
