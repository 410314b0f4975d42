-- Local authentication: who may sign in, and the cookie sessions they hold.

CREATE TABLE users (
  user TEXT PRIMARY KEY,
  operator INTEGER NOT NULL CHECK (operator IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  id_hash BLOB PRIMARY KEY, -- never the cookie's own value
  user TEXT NOT NULL,
  operator INTEGER NOT NULL CHECK (operator IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
