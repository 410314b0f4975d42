"""Bots as users know them: one mailbox each, the fleet that runs them, the outbox that sends. Read `bot.py` first."""
