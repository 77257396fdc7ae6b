-- Version 14, for the tokens that devices are pushed by. Its twin, where the comments are, is
-- schema/sqlite/0014_push_tokens.sql.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'token' AND column_name = 'push_token') = 0,
    'ALTER TABLE token ADD COLUMN push_token TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        ADD COLUMN push_kind VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
