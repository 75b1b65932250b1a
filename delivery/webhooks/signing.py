"""Signatures of Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""

import base64
import binascii
import hashlib
import hmac

from endpoints import SIGNING_PREFIX as _PREFIX

_SHORTEST_KEY_BYTES, _LONGEST_KEY_BYTES = 24, 64


class InvalidSigningSecret(Exception):
    """The secret is not one or several ``whsec_...``. The message does not quote it."""


def signed_headers(secret_text: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that identify and sign one attempt to deliver an event.

    ``secret_text`` has one secret or, while it is being replaced, several that are separated by spaces; each of them
    signs. ``timestamp`` is the time of the attempt in seconds since 1970.

    Raises:
        InvalidSigningSecret: a secret is ill-formed, or there is none.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in _keys(secret_text)]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _keys(secret_text: str) -> list[bytes]:
    keys = [_key(secret) for secret in secret_text.split()]
    if not keys:
        raise InvalidSigningSecret("the secret is empty")
    return keys


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):  # the latter for characters that are not ASCII
        key = b""
    if not _SHORTEST_KEY_BYTES <= len(key) <= _LONGEST_KEY_BYTES:
        raise InvalidSigningSecret(
            f"a signing secret must be {_PREFIX} and the base64 of {_SHORTEST_KEY_BYTES} to {_LONGEST_KEY_BYTES} bytes"
        )
    return key
