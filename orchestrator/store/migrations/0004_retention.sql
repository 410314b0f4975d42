-- Retention of the event log by count, age and bytes.

ALTER TABLE events ADD COLUMN stored_at INTEGER;               -- ms; NULL in rows of earlier versions: `at` counts
ALTER TABLE logs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;  -- of its events: data, and 200 for each
ALTER TABLE logs ADD COLUMN oldest_at INTEGER;                 -- no event was stored before it; NULL: there is none

UPDATE logs SET (bytes, oldest_at) = (
  SELECT coalesce(sum(length(data) + 200), 0), min(at) FROM events
  WHERE place > logs.log << 40 AND place < (logs.log + 1) << 40
);
