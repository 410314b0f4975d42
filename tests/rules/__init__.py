"""House rules as tests: import direction, one door a library, sizes, purity, docs that name every code."""
