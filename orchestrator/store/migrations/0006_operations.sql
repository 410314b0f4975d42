-- What operators look back at: the fleet's figures minute by minute, and incidents.

CREATE TABLE fleet_samples (
  at INTEGER PRIMARY KEY,  -- ms since the epoch
  data BLOB NOT NULL
) STRICT;

CREATE TABLE incidents (
  id TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER,           -- NULL while it is open
  data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_end ON incidents (until);
