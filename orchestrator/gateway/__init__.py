"""The user's one socket: admission, replay and live delivery. Read `protocol.py` first, `gateway.py` last."""
