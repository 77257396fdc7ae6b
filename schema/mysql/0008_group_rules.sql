-- Version 8, for groups that are run: roles, bans, mutes, requests to join. Its twin, where the comments
-- are, is schema/sqlite/0008_group_rules.sql.

DO 0;
