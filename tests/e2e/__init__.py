"""The main job end to end: real server process, real library, loopback WhatsApp, real socket.io-client, real browser."""
