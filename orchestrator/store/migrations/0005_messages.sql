-- Messages live longer than the log: rows of their own, written with their event.

CREATE TABLE messages (
  place INTEGER PRIMARY KEY,   -- its event's: log << 40 | seq
  log INTEGER NOT NULL REFERENCES logs (log),
  bot TEXT NOT NULL,
  chat TEXT NOT NULL,
  sent_at INTEGER NOT NULL,    -- ms since the epoch, as WhatsApp says
  stored_at INTEGER NOT NULL,
  id TEXT NOT NULL,            -- the event's
  at INTEGER NOT NULL,         -- the event's
  data BLOB NOT NULL
) STRICT;
CREATE INDEX messages_by_time ON messages (log, bot, sent_at);
CREATE INDEX messages_by_chat ON messages (log, bot, chat, sent_at);

CREATE TABLE chat_forms (      -- a person's chat: the hidden form and the phone's, so that rows answer to both
  log INTEGER NOT NULL REFERENCES logs (log),
  bot TEXT NOT NULL,
  lid TEXT NOT NULL,
  pn TEXT NOT NULL,
  PRIMARY KEY (log, bot, lid)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_forms_by_phone ON chat_forms (log, bot, pn);

ALTER TABLE logs ADD COLUMN oldest_message_at INTEGER;  -- no message was stored before it; NULL when there is none
