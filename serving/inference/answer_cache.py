"""Answers kept for a few seconds, so that equal questions soon after each other are computed once."""

MAX_BYTES = 64 * 1024**2


class AnswerCache:
    """Bodies of answers by the digest of their question; bounded in age and in bytes, oldest out first."""

    def __init__(self, seconds: float, max_bytes: int = MAX_BYTES) -> None:
        self._seconds, self._max_bytes = seconds, max_bytes
        self._kept: dict[bytes, tuple[float, bytes]] = {}  # until when, body; in order of age, as all live equally long
        self._bytes = 0

    def get(self, digest: bytes, now: float) -> bytes | None:
        """The answer, if it is still good."""
        found = self._kept.get(digest)
        return found[1] if found is not None and found[0] > now else None

    def put(self, digest: bytes, body: bytes, now: float) -> None:
        """Keep an answer from now on."""
        if self._seconds > 0:
            self._drop(digest)
            self._kept[digest] = (now + self._seconds, body)
            self._bytes += len(body)
            self.trim(now)

    def trim(self, now: float) -> None:
        """Let go of what is too old or too much."""
        while self._kept:
            digest, (until, _) = next(iter(self._kept.items()))
            if until > now and self._bytes <= self._max_bytes:
                return
            self._drop(digest)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, digest: bytes) -> None:
        gone = self._kept.pop(digest, None)
        if gone is not None:
            self._bytes -= len(gone[1])
