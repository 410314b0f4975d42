-- Stored messages change with what happens to them later, and a bot's own sends are among them.

ALTER TABLE messages ADD COLUMN message_id TEXT;  -- WhatsApp's; NULL of a send it has not taken
ALTER TABLE messages ADD COLUMN job TEXT;         -- the send that made it

UPDATE messages SET message_id = json_extract(CAST(data AS TEXT), '$.messageId') WHERE json_valid(CAST(data AS TEXT));

CREATE INDEX messages_by_id ON messages (log, bot, message_id);
CREATE UNIQUE INDEX messages_by_job ON messages (log, bot, job) WHERE job IS NOT NULL;

CREATE TABLE message_changes (   -- told before their message came, and the newest reaction of each person
  log INTEGER NOT NULL REFERENCES logs (log),
  bot TEXT NOT NULL,
  target TEXT NOT NULL,          -- WhatsApp's id of the message
  type TEXT NOT NULL,
  person TEXT NOT NULL,          -- chat and person
  stored_at INTEGER NOT NULL,
  data BLOB NOT NULL,            -- the event's
  PRIMARY KEY (log, bot, target, type, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_changes_by_age ON message_changes (log, stored_at);

-- Who is who was known of chats only, and to this table only: every bot knows it of people from here on.
INSERT INTO latest (log, key, bot, value)
SELECT log, 'person/' || bot || '/' || pn, bot,
       CAST(json_object('pn', pn, 'lid', min(lid), 'alone', json('true'), 'newest', 1) AS BLOB)
FROM chat_forms GROUP BY log, bot, pn;

INSERT INTO latest (log, key, bot, value)
SELECT DISTINCT log, 'person/' || bot || '/' || chat, bot,
       CAST(json_object('pn', chat, 'lid', NULL, 'alone', json('true'), 'newest', 1) AS BLOB)
FROM messages WHERE chat LIKE '%@s.whatsapp.net'
ON CONFLICT (log, key) DO NOTHING;
