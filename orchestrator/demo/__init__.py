"""A server without WhatsApp to look at: phones that are played, and a scenario that plays them. Read `demo.py` first."""
