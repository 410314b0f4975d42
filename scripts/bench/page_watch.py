"""What the page's benchmark reads in Chromium: pixels, frames of the socket, input, layout shifts. Times are wall time.

Owns the scripts that watch inside the page and the clocks that make their times comparable with other processes'. It
must never know what a figure is for. Run by `page_parts.py`, which is the neighbour to read next.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable
from typing import Any

from playwright.async_api import CDPSession, Page

WATCH = """
() => {
  const watched = window.watched_ = {shifts: [], inputs: [], painted: []};
  const frame = window.requestAnimationFrame.bind(window);
  const later = new MessageChannel();
  let drawing = false;
  later.port1.onmessage = () => { drawing = false; };
  window.requestAnimationFrame = (work) => frame((now) => {
    drawing = true;
    later.port2.postMessage(null);
    work(now);
  });
  // A change is shown by the picture that is being made, or else by the next one; it is there when the one after begins.
  const atNext = (done) => frame(() => done(performance.timeOrigin + performance.now()));
  watched.afterPaint = (done) => drawing ? atNext(done) : frame(() => atNext(done));
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) {
      const what = each.sources?.map((one) => `${one.node?.nodeName}.${one.node?.className}`).join(' ');
      if (!each.hadRecentInput) watched.shifts.push([each.value, each.startTime, what ?? '']);
    }
  }).observe({type: 'layout-shift', buffered: true});
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) {
      if (each.interactionId) watched.inputs.push([each.interactionId, each.name, each.duration]);
    }
  }).observe({type: 'event', durationThreshold: 16, buffered: true});
}
"""
"""Before anything of the page runs."""

QR_PAINTED = """
() => {
  let last = null;
  new MutationObserver(() => {
    const path = document.querySelector('.qr > svg[role=img] path')?.getAttribute('d') ?? null;
    if (path === last) return;
    last = path;
    if (path !== null) window.watched_.afterPaint((at) => window.watched_.painted.push(at));
  }).observe(document, {subtree: true, childList: true, attributes: true});
}
"""
"""Notes when each new code is in a picture."""

STATUS_PAINTED = """
(bot) => {
  const watched = window.watched_;
  watched.painted = [];
  const read = () => document.querySelector(`article[data-bot="${bot}"]`)?.dataset.status ?? null;
  let last = read();
  new MutationObserver(() => {
    const status = read();
    if (status === last) return;
    last = status;
    if (status !== null) watched.afterPaint((at) => watched.painted.push([status, at]));
  }).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-status']});
}
"""
"""Notes when each status of a bot's row is in a picture."""

SCROLL = """
async ([step, ms]) => {
  const box = document.querySelector('.log');
  const frames = [];
  let last = await new Promise(requestAnimationFrame);
  const ends = last + ms;
  let empty = 0;
  for (;;) {
    box.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    const row = document.elementFromPoint(box.getBoundingClientRect().x + 120, box.getBoundingClientRect().y + 200);
    if (!row?.closest('.ev')) empty += 1;
    if (now > ends || box.scrollTop + box.clientHeight >= box.scrollHeight - 1) break;
  }
  return {frames, empty, travelled: box.scrollTop};
}
"""
"""Scrolls the live events as a wheel does, so many pixels a picture; how long each picture took, and what it lacked."""


async def frames_received(page: Page, wanted: Callable[[dict[str, Any]], object]) -> list[tuple[float, dict[str, Any]]]:
    """Note the socket's frames from now on for which a condition holds; each with when it reached the browser, wall
    time in ms, whatever the page was busy with."""
    client = await page.context.new_cdp_session(page)
    await client.send("Network.enable")
    await client.send("Performance.enable")
    found: list[tuple[float, dict[str, Any]]] = []
    offset = await _offset(page, client)

    def take(event: dict[str, Any]) -> None:
        payload = str(event["response"]["payloadData"])
        if payload.startswith("42"):
            frame = json.loads(payload[2:])[1]
            if wanted(frame):
                found.append((1000 * float(event["timestamp"]) + offset, frame))

    client.on("Network.webSocketFrameReceived", take)
    return found


async def _offset(page: Page, client: CDPSession) -> float:
    """What makes wall time of the browser's own clock, ms: read between two looks at the page's, the closest of many."""
    found: list[tuple[float, float]] = []
    for _ in range(20):
        before = float(await page.evaluate("performance.timeOrigin + performance.now()"))
        metrics = (await client.send("Performance.getMetrics"))["metrics"]
        after = float(await page.evaluate("performance.timeOrigin + performance.now()"))
        stamp = next(float(each["value"]) for each in metrics if each["name"] == "Timestamp")
        found.append((after - before, (before + after) / 2 - 1000 * stamp))
    return min(found)[1]


def work(trace: list[dict[str, Any]]) -> list[float]:
    """How long the page's thread computed for each picture of a trace, ms; what it waited for the machine is not in it."""
    names = ((each["pid"], each["tid"], each["args"]["name"]) for each in trace if each["name"] == "thread_name")
    threads = {(pid, tid) for pid, tid, name in names if name == "CrRendererMain"}
    done = [each for each in trace if each.get("ph") == "X" and (each["pid"], each["tid"]) in threads]
    began = sorted(float(each["ts"]) for each in trace if each["name"] == "BeginMainThreadFrame")
    spent = [0.0] * len(began)
    covered = 0.0
    for each in sorted(done, key=lambda one: (one["ts"], -one.get("dur", 0))):
        # What lies inside another is part of it.
        if each["ts"] < covered or not began or each["ts"] < began[0]:
            continue
        covered = each["ts"] + each.get("dur", 0)
        spent[bisect.bisect_right(began, each["ts"]) - 1] += each.get("tdur", 0) / 1000
    return spent
