"""Everything a stranger, a client, an operator or a damaged disk can hand us, made up by the hundred thousand."""
