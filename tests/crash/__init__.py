"""Crash tests: processes that are killed at random moments."""
