-- Version 14, for the tokens that devices are pushed by. Its twin is schema/mysql/0014_push_tokens.sql.

-- By what a push service reaches the device, as its application says, and what kind of service that is. Both or neither.
ALTER TABLE token ADD COLUMN push_token TEXT;
ALTER TABLE token ADD COLUMN push_kind TEXT;
