"""Daily bars in Redis: avoids a second request to the source within hours. The app works the same without it."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import redis

from analysis.prices import Bars
from stores.bars import BarsDocument, bars_from_document, bars_to_document
from stores.redis_server import command, connect

_log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 12 * 60 * 60
_TIMEOUT_SECONDS = 2.0
_AWAY_SECONDS = 30.0


class PriceCache:
    """Bars by key. If Redis is down, slow or holds another value, it is a miss with one warning, never an error.

    After a failed request Redis is not used for a while: repeated timeouts would slow the run.
    """

    def __init__(self, url: str) -> None:
        self._redis = connect(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS)
        self._warned = False
        self._away_until = 0.0

    def get(self, keys: Sequence[str]) -> dict[str, Bars]:
        """Return the bars of the cached ``keys``."""
        if not keys or self._is_away():
            return {}
        try:
            with command("MGET"):
                blocks = cast("list[bytes | None]", self._redis.mget(keys))
        except redis.RedisError as error:
            self._leave_alone(error)
            return {}
        found = {key: self._decode(block) for key, block in zip(keys, blocks, strict=True) if block is not None}
        return {key: bars for key, bars in found.items() if bars is not None}

    def put(self, bars: Mapping[str, Bars]) -> None:
        """Store the bars for half a day."""
        if not bars or self._is_away():
            return
        try:
            with command("SET"), self._redis.pipeline(transaction=False) as pipeline:
                for key, series in bars.items():
                    pipeline.set(key, msgspec.msgpack.encode(bars_to_document(series)), ex=_EXPIRY_SECONDS)
                pipeline.execute()
        except redis.RedisError as error:
            self._leave_alone(error)

    def ping(self) -> None:
        """Check that Redis answers.

        Raises:
            redis.RedisError: it did not answer within two seconds.
        """
        self._redis.ping()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _decode(self, block: bytes) -> Bars | None:
        try:
            return bars_from_document(msgspec.msgpack.decode(block, type=BarsDocument.__value__))
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            self._warn(error)
            return None

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _leave_alone(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _AWAY_SECONDS
        self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            # The class only: a message of the driver may contain the URL with its password.
            _log.warning("Redis cannot be used (%s): working without a price cache", type(error).__name__)
