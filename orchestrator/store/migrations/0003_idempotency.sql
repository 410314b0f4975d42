-- What a POST with an Idempotency-Key answered, for 24 hours.

CREATE TABLE idempotency (
  user TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  operation TEXT NOT NULL, -- the same for every attempt at this request, also after a crash
  run TEXT NOT NULL,       -- the server's run that is, or was, carrying it out
  status INTEGER,          -- NULL until it is answered
  body BLOB,
  at INTEGER NOT NULL,
  PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);
