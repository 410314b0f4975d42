"""A WhatsApp of our own on loopback, which the real neonize links to, logs in to and chats with.

Owns everything between a library's ``connect()`` and a simulated person's phone: CONNECT proxy, TLS with a throwaway
CA, WebSocket, Noise XX under our own root, nodes, linking, login, prekeys, messages, receipts and the offline queue.
It must never know the orchestrator or ``sessions``. Neighbour to read next: ``server.py``.

In a test (same process, asyncio; the worker is another process)::

    async with LoopbackServer.start() as wa:
        environment = {**os.environ, **wa.env()}      # SSL_CERT_FILE, PYTHONPATH with the patched library first
        proxy = wa.proxy_url                          # http://127.0.0.1:PORT, for ProxySettings / ORCHESTRATOR_PROXY
        phone = wa.add_account()                      # Phone: .number .pn_jid .lid_jid .name
        ada = wa.add_contact(name="Ada")              # Contact, the same names
        device = await phone.scan(qr_text)            # or: await phone.enter_code("ABCD-EFGH"); PairingRefused
        await device.wait_online()                    # logged in and <active/> answered
        message_id = await ada.send_text(phone, "hello", addressing="lid")    # or "pn"
        await ada.wait_text("hello back")             # ada.received: list[ReceivedText]
        await ada.mark_read(message_ids)              # delivered receipts go by themselves: ada.auto_receipts
        await wa.ledger.wait("restart_sent", phone=phone.number)              # 515 was sent
    # phone.devices, phone.unlink(device), device.abort(), device.close(), device.stream_error(...)
    # wa.faults: refused logins, muted iqs, stalls; await wa.stop_listening() / wa.start_listening(): same port

``phone.scan`` returns when 515 was sent, ``device.wait_online`` when the login after it is through. Two contacts or
accounts never share a number; ``ada.refuse_with``, ``ada.auto_read`` and ``faults.py`` change how people and server
react. A bare process with the real library is ``real_process.RealProcess``; its pytest fixtures are ``fixtures.py``.
A flood for benchmarks: ``prepared = [p for n in range(1000) for p in ada.prepare_text(phone, f"{n}")]`` (encrypts
ahead), then ``await ada.flood(prepared, per_second=500)`` (0: all at once).

``wa.env()`` raises ``library.LibraryNotPatchable`` where the installed library doesn't hold the pinned key exactly
once; tests turn that into a skip. Tests in other languages use ``wa.control_url``: ``POST /OP`` with a JSON object
answers ``{"ok": true, "result": ...}``; ``GET /`` lists the operations (``control.py``). By hand::

    python -m tests.loopback          prints proxy, control URL and exports, then takes commands: ``help`` lists them
"""

from __future__ import annotations
