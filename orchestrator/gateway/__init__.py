"""The one socket per user. Read `protocol.py` first, `gateway.py` is the only file that imports socketio."""
