-- Version 16, for what is told of members of groups who have not confirmed what was said. Its twin is
-- schema/mysql/0016_untold.sql.

-- Groups with messages of which nobody was told yet, where there is a webhook that tells what is undelivered: all from place
-- pos on, which was said at ts. Made in the transaction of the first of them, and gone once all are told of. While a pass
-- over the members is under way, upto is the last place that it tells of and member the last one that it has come to;
-- else both are 0.
CREATE TABLE untold (
    groupid INTEGER PRIMARY KEY,
    pos     INTEGER NOT NULL,
    ts      INTEGER NOT NULL, -- milliseconds since the Unix epoch
    upto    INTEGER NOT NULL DEFAULT 0,
    member  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX untold_ts ON untold (ts);
