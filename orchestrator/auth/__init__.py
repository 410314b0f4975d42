"""Token, one-time code or cookie → principal: one function for REST, socket and page. Read `principal.py`."""
