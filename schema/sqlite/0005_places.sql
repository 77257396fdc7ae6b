-- Version 5: direct messages are found by their places in another table. Its twin is schema/mysql/0005_places.sql.
--
-- A row is a run: places of the conversation of two people that follow each other, from first on, with the ids of their
-- messages, 8 bytes each, the most significant first, whose first bit says that high has said it. It is written when there is much to write, so it lacks messages
-- with ids greater than placed_upto; a message itself has its place from the beginning.

CREATE TABLE place (
    low   INTEGER NOT NULL, -- whose id is smaller, or the same
    high  INTEGER NOT NULL,
    first INTEGER NOT NULL,
    mids  BLOB NOT NULL,
    PRIMARY KEY (low, high, first)
) STRICT, WITHOUT ROWID;
-- Before, each message had a row of an index. Runs of 100 places, as far as nothing is missing between them.
WITH placed (low, high, pos, mid) AS (
    SELECT min(sender, recipient), max(sender, recipient), pos, mid | ((sender > recipient) << 63) FROM message
    WHERE recipient IS NOT NULL AND pos IS NOT NULL
), following AS (
    SELECT *, pos - row_number() OVER (PARTITION BY low, high ORDER BY pos) AS missing FROM placed
)
INSERT INTO place (low, high, first, mids)
SELECT low, high, min(pos), unhex(group_concat(format('%016llX', mid), '' ORDER BY pos))
FROM following GROUP BY low, high, missing, (pos - 1) / 100;
DROP INDEX message_direct;

ALTER TABLE history ADD COLUMN placed_upto INTEGER NOT NULL DEFAULT 0;
UPDATE history SET placed_upto = coalesce((SELECT max(mid) FROM message), 0);
