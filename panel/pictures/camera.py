"""Takes pictures of the panel's pages: opens each, waits until it says that it is ready, and sets a caption above it.

It looks and changes nothing: it presses no button, and what it opened is closed at the end.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape

import httpx

from panel.pictures.chromium import Chromium, Tab, started
from panel.pictures.errors import BrowserFailed, LockedPanel, NoChromium, NotReady, PanelAway
from panel.pictures.shots import Shot
from stack.browser import find_chromium
from stack.pace import PACES

READY_S = 60.0
_FIRST_PX, _LEAST_PX, _MOST_PX = 1000, 600, 8000
_READY = "window.firedrillCharts?.ready() === true"
_LOCKED = 'document.querySelector(\'form[action="/login"], form[action="/join"]\') !== null'
_HEIGHT = """(() => {
  const main = document.querySelector("[data-testid=stMain]") ?? document.scrollingElement;
  const block = document.querySelector("[data-testid=stMainBlockContainer]");
  const below = block ? block.getBoundingClientRect().bottom + main.scrollTop : 0;
  return Math.ceil(block ? below : main.scrollHeight);
})()"""
_BARE = """(() => {
  const style = document.createElement("style");
  style.textContent = ".fd-chart-tools {display: none !important;}";
  document.head.append(style);
})()"""
"""Takes the charts' own buttons out of the picture."""
_STRIP = "document.querySelector('.fd-strip')?.innerText ?? ''"
_HEADING = "document.querySelector('h1.fd-heading')?.innerText ?? ''"
_DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
_COLORS = {"light": ("#ffffff", "#1c2328", "#c9d1d6"), "dark": ("#0e1117", "#fafafa", "#3a414b")}


@dataclass(frozen=True)
class Entry:
    """How a panel that is opened to a network lets the camera in: by the machine's token, or by a password."""

    token: str = ""
    password: str = ""


class Camera:
    """A browser that takes pictures of the panel at ``url``."""

    def __init__(self, browser: Chromium, url: str) -> None:
        self._browser, self._url = browser, url.rstrip("/")

    def take(self, shot: Shot) -> bytes:
        """Return the picture as PNG. Raises ``NotReady``, ``LockedPanel``, ``PanelAway``, ``BrowserFailed``."""
        with Tab.opened(self._browser) as tab:
            _dress(tab, shot, _FIRST_PX)
            answer = tab.call("Page.navigate", url=f"{self._url}{shot.address}")
            if answer.get("errorText"):
                raise PanelAway(self._url, str(answer["errorText"]))
            self._wait(tab, shot)
            tab.value_of(_BARE)
            height = _FIRST_PX
            for _ in range(3):  # a page may break its lines anew when it gets higher
                wanted = min(_MOST_PX, max(_LEAST_PX, int(float(str(tab.value_of(_HEIGHT) or _FIRST_PX)))))
                if wanted == height:
                    break
                height = wanted
                _dress(tab, shot, height)
                self._wait(tab, shot)
            tab.value_of(_DRAWN)
            page = _photograph(tab)
            said, title = str(tab.value_of(_STRIP) or ""), str(tab.value_of(_HEADING) or shot.page.title)
        return self._captioned(shot, page, caption_of(shot, title, said, time.time()), height)

    def _wait(self, tab: Tab, shot: Shot) -> None:
        if tab.wait_for(f"({_READY}) || {_LOCKED}", READY_S):
            if tab.value_of(_LOCKED):
                raise LockedPanel(self._url, given=False)
            return
        raise NotReady(shot.page.name, READY_S)

    def _captioned(self, shot: Shot, page: str, lines: tuple[str, ...], height: int) -> bytes:
        """Return the photograph below its caption."""
        back, ink, rule = _COLORS[shot.theme]
        style = (
            f'body{{margin:0;background:{back};color:{ink};font:15px/1.45 "Source Sans 3",system-ui,sans-serif}}'
            f"header{{padding:10px 16px;border-bottom:1px solid {rule}}}"
            "div:first-child{font-weight:700;font-size:17px}img{display:block;width:100%}"
        )
        text = "".join(f"<div>{escape(line)}</div>" for line in lines)
        shown = f'<img src="data:image/png;base64,{page}">'
        html = f"<style>{style}</style><header>{text}</header>{shown}"
        with Tab.opened(self._browser) as tab:
            _dress(tab, shot, height)
            tree = tab.call("Page.getFrameTree")["frameTree"]
            frame = tree["frame"] if isinstance(tree, dict) else {}
            if not isinstance(frame, dict):
                raise BrowserFailed("an empty page has no frame")
            tab.call("Page.setDocumentContent", frameId=frame["id"], html=html)
            if not tab.wait_for("document.images[0]?.complete && document.images[0].naturalWidth > 0", READY_S):
                raise BrowserFailed("it did not show the photograph")
            whole = int(float(str(tab.value_of("document.documentElement.scrollHeight"))))
            head = int(float(str(tab.value_of("Math.ceil(document.querySelector('header').offsetHeight)"))))
            _dress(tab, shot, min(whole, head + height))
            tab.value_of(_DRAWN)
            return base64.b64decode(_photograph(tab))


@contextlib.contextmanager
def camera(url: str, entry: Entry) -> Iterator[Camera]:
    """Start a browser and let it into the panel at ``url``. Raises ``NoChromium``, ``PanelAway``, ``LockedPanel``."""
    program = find_chromium()
    if program is None:
        raise NoChromium
    cookies = _enter(url.rstrip("/"), entry)
    with started(program) as browser:
        for name, value in cookies.items():
            browser.call("Storage.setCookies", cookies=[{"name": name, "value": value, "url": url, "httpOnly": True}])
        yield Camera(browser, url)


def caption_of(shot: Shot, title: str, strip: str, now: float) -> tuple[str, ...]:
    """Return the lines above the picture of the page ``title`` at ``now`` (Unix seconds).

    ``strip`` is what the page's line of states says.
    """
    moment = datetime.fromtimestamp(now).astimezone()
    words = " ".join(strip.split())
    facts = [f"{moment:%Y-%m-%d %H:%M:%S} UTC{moment:%z}"]
    facts += [f"{pace} pace" for pace in PACES if f"{pace} pace" in words]
    _, active, faults = words.partition("Active: ")
    facts.append(f"active faults: {faults}" if active else "no fault active")
    span = {name: shot.query[name] for name in ("from", "to", "last") if shot.query.get(name)}
    if "from" in span and "to" in span:
        facts.append(f"{span['from']} to {span['to']}")
    elif "last" in span:
        facts.append(f"last {span['last']}")
    head = f"Firedrill · {title}" + (f" · {shot.caption}" if shot.caption else "")
    return head, " · ".join(facts)


def _dress(tab: Tab, shot: Shot, height: int) -> None:
    """Set the size and the look of a page."""
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=shot.width,
        height=height,
        deviceScaleFactor=1,
        mobile=shot.phone,
    )
    tab.call("Emulation.setTouchEmulationEnabled", enabled=shot.phone)
    features = [
        {"name": "prefers-color-scheme", "value": shot.theme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    tab.call("Emulation.setEmulatedMedia", features=json.loads(json.dumps(features)))


def _photograph(tab: Tab) -> str:
    """Return what the page shows as PNG, in base64."""
    return str(tab.call("Page.captureScreenshot", format="png")["data"])


def _enter(url: str, entry: Entry) -> dict[str, str]:
    """Return the cookies that the panel lets somebody in with; none where it is open to everyone on this machine."""
    headers = {"Authorization": f"Bearer {entry.token}"} if entry.token else {}
    try:
        with httpx.Client(timeout=15.0, trust_env=False) as client:
            looked = client.get(f"{url}/", headers={"Accept": "text/html"})
            if looked.status_code != httpx.codes.SEE_OTHER:
                return {}
            if not (entry.token or entry.password):
                raise LockedPanel(url, given=False)
            answer = client.post(f"{url}/login", headers=headers, data={"password": entry.password})
            if answer.status_code != httpx.codes.SEE_OTHER:
                raise LockedPanel(url, given=bool(entry.password))
            return dict(client.cookies)
    except httpx.HTTPError as problem:
        raise PanelAway(url, str(problem) or type(problem).__name__) from problem
    except httpx.InvalidURL as problem:
        raise PanelAway(url, str(problem)) from problem
