-- Version 3: names that differ only in case, width or composition are one name. Its twin is
-- schema/mysql/0003_one_name.sql.
--
-- name is a name as it was written, folded what it has in common with every name that is the same. The program
-- works that out (src/storage/names.rs), also for the names that are here already, once this file is applied.
-- Until then it is NULL, and again when a group is dissolved. Of names that were here before and are one, the
-- oldest has the folded form; another has NUL and its id, which is nobody's, and is found as it is written.

ALTER TABLE user ADD COLUMN folded TEXT;
CREATE UNIQUE INDEX user_folded ON user (folded);

ALTER TABLE allgroup ADD COLUMN folded TEXT;
CREATE UNIQUE INDEX allgroup_folded ON allgroup (folded);
