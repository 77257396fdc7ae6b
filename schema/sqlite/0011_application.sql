-- Version 11, for users of another application, which signs for them. Its twin is schema/mysql/0011_application.sql.

-- What the application calls the user; NULL is a user of this server alone. Such a user may have no password ('').
-- disabled shuts a user out: no login, no token.
ALTER TABLE user ADD COLUMN external TEXT;
ALTER TABLE user ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX user_external ON user (external) WHERE external IS NOT NULL;

-- A token given for an application's word is good no longer than that: milliseconds since the Unix epoch.
ALTER TABLE token ADD COLUMN expires INTEGER;
