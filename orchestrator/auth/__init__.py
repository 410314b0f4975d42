"""Who is calling: token to principal, one function for REST, socket and page. Read `principal.py` first."""
