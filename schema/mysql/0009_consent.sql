-- Version 9, for friendships that are asked for, and settings of users. Its twin, where the comments
-- are, is schema/sqlite/0009_consent.sql.

DO 0;
