"""One WhatsApp session: the leaf that talks to the library and knows nothing of the orchestrator above it."""
