"""What operators and maintainers run; `docs.py` is imported by a test, the rest is run by path."""
