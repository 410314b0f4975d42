"""Supervisor, bus, gateway and API of the WhatsApp bot orchestrator. Read `app.py` for how the rooms are joined."""
