"""Contract suites, one test file per source file, crash and end-to-end tests, and the loopback WhatsApp server."""
