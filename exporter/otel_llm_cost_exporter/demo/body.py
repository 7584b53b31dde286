"""What a request's body says, as a mapping: JSON, or the fields of a form with a file."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.message import Message
from typing import Any


def read_body(content_type: str, raw: bytes) -> dict[str, Any]:
    """The body's fields; empty where it is neither."""
    if content_type.startswith("multipart/form-data"):
        return _form(content_type, raw)
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _form(content_type: str, raw: bytes) -> dict[str, Any]:
    """Field → text; a file's field has the file's content."""
    form = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + raw)
    parts = [part for part in form.walk() if not part.is_multipart()]
    return {str(part.get_param("name", header="content-disposition")): _text(part) for part in parts}


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode() if isinstance(content, bytes) else ""
