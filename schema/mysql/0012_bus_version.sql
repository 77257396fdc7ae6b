-- Version 12, for servers that are of several versions: which version of the bus each of them speaks. Those of before
-- write nothing here, and speak the first one.

SET @step = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'chatd_server' AND column_name = 'bus_version') = 0,
    'ALTER TABLE chatd_server ADD COLUMN bus_version INT NOT NULL DEFAULT 1',
    'DO 0'
);
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
