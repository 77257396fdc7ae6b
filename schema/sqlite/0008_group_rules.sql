-- Version 8, for groups that are run: roles, bans, mutes, requests to join. Its twin is schema/mysql/0008_group_rules.sql.
--
-- Until when something holds is 0 for not at all, -1 for ever, or milliseconds since the Unix epoch. What is done to a
-- group makes a row of its conversation, in message; its body begins with {"by":.

-- One joins by asking ('open'), once somebody says yes ('ask'), or not at all ('closed'). All normal members are muted
-- until muted, since the row at place muted_at.
ALTER TABLE allgroup ADD COLUMN joining TEXT NOT NULL DEFAULT 'open';
ALTER TABLE allgroup ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE allgroup ADD COLUMN muted_at INTEGER NOT NULL DEFAULT 0;

-- grouprole knows the owner ('creator') and everybody else; of those, admin is 1 for who runs the group with it. A
-- member is what it is since the row at place ruled.
ALTER TABLE groupuser ADD COLUMN admin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groupuser ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groupuser ADD COLUMN ruled INTEGER NOT NULL DEFAULT 0;

-- What holds of somebody who is no member: until when it may not join, and until when it will be muted if it does.
CREATE TABLE grouprule (
    groupid INTEGER NOT NULL REFERENCES allgroup (id),
    userid  INTEGER NOT NULL REFERENCES user (id),
    banned  INTEGER NOT NULL DEFAULT 0,
    muted   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (groupid, userid)
) STRICT, WITHOUT ROWID;

-- Who asks to join, and when it asked first.
CREATE TABLE grouprequest (
    groupid INTEGER NOT NULL REFERENCES allgroup (id),
    userid  INTEGER NOT NULL REFERENCES user (id),
    ts      INTEGER NOT NULL, -- milliseconds since the Unix epoch
    PRIMARY KEY (groupid, userid)
) STRICT, WITHOUT ROWID;
