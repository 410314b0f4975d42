"""Where sessions run: worker processes, restart policy, incidents. Read `workers.py` first."""
