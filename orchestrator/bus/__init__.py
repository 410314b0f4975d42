"""The embedded, durable, ordered event bus. Read `bus.py` for its protocol and promises."""
