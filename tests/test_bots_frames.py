"""What users are told of events the lifecycle judges: WhatsApp's own words where it gave some."""

from __future__ import annotations

import pytest

from orchestrator.bots.frames import frame_data
from sessions import lifecycle, model


@pytest.mark.parametrize(("number", "told"), [(400, 400), (418, 418), (0, "unknown")])
def test_a_refusal_tells_the_number_it_had(number: int, told: object) -> None:
    """A number the library could not name is told as unknown, never as 0, which WhatsApp does not send."""
    event = model.ConnectFailed(number)
    assert frame_data(event, lifecycle.judge(event, linking=False), 1) == {"reason": told}


def test_a_failed_pairing_tells_why() -> None:
    """`device_limit` where it is known; the library itself only ever says that it failed."""
    for event, code in ((model.PairFailed("x"), "keys"), (model.PairFailed("x", "device_limit"), "device_limit")):
        assert frame_data(event, lifecycle.judge(event, linking=True), 1) == {"code": code}
