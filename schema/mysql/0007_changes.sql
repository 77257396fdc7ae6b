-- Version 7, for messages that are edited, recalled and reacted to. Its twin, where the comments
-- are, is schema/sqlite/0007_changes.sql.

DO 0;
