-- Version 10, for the search of messages. Its twin is schema/mysql/0010_search.sql.
--
-- A row is a run: messages of one conversation with ids from first on, and their words (src/storage/search/run.rs). The
-- two people of a direct conversation are low and high; of a group low is 0 and high its id. All of it is made from the
-- table message, behind whoever stores there: what is there now is indexed by and by, once the server runs.

CREATE TABLE search (
    id    INTEGER PRIMARY KEY,
    low   INTEGER NOT NULL,
    high  INTEGER NOT NULL,
    first INTEGER NOT NULL,
    run   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX search_run ON search (low, high, first);

-- Messages that are to be indexed anew: their text has changed, or they were stored late, with ids that the index was
-- beyond.
CREATE TABLE search_again (
    mid INTEGER PRIMARY KEY
) STRICT;

-- The index has every message with an id up to this one, but for those that are to be indexed anew.
ALTER TABLE history ADD COLUMN searched_upto INTEGER NOT NULL DEFAULT 0;
