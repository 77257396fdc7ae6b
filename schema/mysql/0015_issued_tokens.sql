-- Version 15, for tokens that are issued once however often that is asked for. Its twin, where the comments are, is
-- schema/sqlite/0015_issued_tokens.sql.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'asked') = 0,
    'ALTER TABLE token ADD COLUMN asked VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
