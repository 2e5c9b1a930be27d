"""Which messages of a reader's browser reach the panel: what draws a page, and nothing that others would notice.

Whatever a widget then says is refused once more where it acts (``panel.roles.require``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError
from starlette.types import Message, Receive
from streamlit.proto.BackMsg_pb2 import BackMsg

ALLOWED = frozenset({"rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request"})
"""Without ``clear_cache``, say, which would make the panel forget everyone's feeds and the round under way."""


def only_reading(receive: Receive) -> Receive:
    """Return ``receive`` without the messages that a reader may not send."""

    async def filtered() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive" or _allowed(message):
                return message

    return filtered


def _allowed(message: Mapping[str, Any]) -> bool:
    data = message.get("bytes")
    if not data:
        return True  # the panel itself ends a connection that speaks otherwise
    try:
        return BackMsg.FromString(data).WhichOneof("type") in ALLOWED
    except DecodeError:
        return True  # as above
