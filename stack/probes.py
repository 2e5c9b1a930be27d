"""Is it ready? One GET on the loopback address, answered in time with the expected status.

Written on bare sockets: the supervisor stays small, and a probe costs well under a millisecond.
"""

from __future__ import annotations

import asyncio
import http.client
from dataclasses import dataclass

from stack.endpoints import HOST


@dataclass(frozen=True)
class Answer:
    """What a probe saw. ``reason`` says in words why it is not ready; empty where it is."""

    ready: bool
    reason: str = ""


def _judge(status: int, expected: int, path: str) -> Answer:
    if status == expected:
        return Answer(ready=True)
    return Answer(ready=False, reason=f"{path} answers {status}, not {expected}")


async def probe(port: int, path: str, *, expected: int = 200, timeout_s: float = 1.0) -> Answer:
    """GET ``path`` at ``port`` and say whether it answered ``expected`` within ``timeout_s`` seconds. Never raises."""
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(HOST, port)
            request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode("ascii"))
            line = await reader.readline()
            return _judge(int(line.split(b" ", 2)[1]), expected, path)
    except TimeoutError:
        return Answer(ready=False, reason=f"no answer within {timeout_s:g} s")
    except ConnectionRefusedError:
        return Answer(ready=False, reason=f"nothing listens on port {port} yet")
    except (OSError, ValueError, IndexError) as error:
        return Answer(ready=False, reason=f"no HTTP answer ({error})")
    finally:
        if writer is not None:
            writer.close()


def probe_now(port: int, path: str, *, host: str = HOST, expected: int = 200, timeout_s: float = 1.0) -> Answer:
    """Do as ``probe`` does, in blocking fashion, for callers without an event loop; ``host`` may be another one."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return _judge(connection.getresponse().status, expected, path)
    except TimeoutError:
        return Answer(ready=False, reason=f"no answer within {timeout_s:g} s")
    except ConnectionRefusedError:
        return Answer(ready=False, reason=f"nothing listens on port {port}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(ready=False, reason=f"no HTTP answer ({error})")
    finally:
        connection.close()
