-- Version 13, for webhooks. Its twin is schema/mysql/0013_outbox.sql.

-- What is to be told to an application: rows are written in the transaction of what they tell of, only where there is a
-- webhook, and deleted once they were posted. body has so many events, a line each; the n-th of row id has the number
-- id * 1000 + n. Ids are never used twice: whoever gets an event twice knows it by its number.
CREATE TABLE outbox (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    ts     INTEGER NOT NULL, -- milliseconds since the Unix epoch
    events INTEGER NOT NULL,
    body   TEXT NOT NULL
) STRICT;

-- Whatever still is in a backlog of the messages up to this id was told of; 0 if nobody has begun to.
ALTER TABLE history ADD COLUMN undelivered_upto INTEGER NOT NULL DEFAULT 0;
