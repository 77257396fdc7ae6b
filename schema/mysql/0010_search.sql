-- Version 10, for the search of messages. Its twin, where the comments
-- are, is schema/sqlite/0010_search.sql.

DO 0;
