-- Version 15, for tokens that are issued once however often that is asked for. Its twin is schema/mysql/0015_issued_tokens.sql.

-- What an application calls the act by which it had the token issued, if it gave that a name.
ALTER TABLE token ADD COLUMN asked TEXT;
