"""Numbered migrations, applied once each and in order; a landed one is never edited. Read `../database.py`."""
