"""SQLite: connection rules and numbered migrations. Read `database.py` first."""
