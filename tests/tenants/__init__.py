"""Two tenants and an operator do random things at once, and nothing of one may appear in what another receives."""
