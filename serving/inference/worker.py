"""`python -m serving.inference.worker PARENT STREAM`: told what to load, it loads, warms, says so, then answers.

One question at a time; it ends when its stream closes, and with its parent.
"""

import contextlib
import gc
import importlib
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING

import msgspec

from contracts.errors import HeadraceError
from contracts.event_weights import parse_event_weights
from contracts.settings import Layout, Settings, read_settings
from serving.inference import messages
from serving.inference.frames import FrameReader
from serving.inference.hooks import Hook, hook_from
from serving.inference.process_limits import bound_memory, end_with_parent, leave_signals_to_parent
from serving.inference.worker_process import DELISTED_NUMBER, LOAD_NUMBER, PING_NUMBER, READY_NUMBER

if TYPE_CHECKING:
    from serving.inference.answering import Answerer

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 262_144
LONGEST_FRAME = 256 * 1024**2  # of the parent, which has bounded what comes from outside
OUT_OF_MEMORY, NOT_LOADED = 12, 1  # exit codes
PRELOADED = ("faiss", "lleaves", "serving.inference.answering", "models.profile_file")  # what takes long to import
decode_texts = msgspec.msgpack.Decoder(list[str]).decode


def main(parent_pid: str, stream_number: str) -> int:
    """Run until the stream closes; exit code."""
    end_with_parent(int(parent_pid))
    leave_signals_to_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("faiss").setLevel(logging.WARNING)
    settings = read_settings(os.environ)
    bound_memory(settings.inference_worker_bytes)
    sys.modules["pandas"] = None  # type: ignore[assignment]  # two libraries import it if they can: 0.8 s and 60 MB
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # whoever needs it says so
            importlib.import_module(name)
    with socket.socket(fileno=int(stream_number)) as stream, contextlib.suppress(ConnectionError):
        return Worker(stream, settings, hook_from(os.environ)).run()
    return 0  # the parent closed the stream in the midst of a word


class Worker:
    """Takes frames in the order in which they come."""

    def __init__(self, stream: socket.socket, settings: Settings, hook: Hook) -> None:
        self._stream, self._settings, self._hook = stream, settings, hook
        self._answerer: Answerer | None = None
        self._delisted: list[str] = []

    def run(self) -> int:
        """Until the stream closes; exit code."""
        frames = FrameReader(messages.REQUEST_HEADER, LONGEST_FRAME)
        while data := self._stream.recv(RECEIVE_BYTES):
            for (_, _, number, _), body in frames.feed(data):
                code = self._take(number, body)
                if code:
                    return code
        return 0

    def _take(self, number: int, body: bytes) -> int:
        if number == PING_NUMBER:
            self._say(number, messages.ANSWERED)
            return 0
        if number == LOAD_NUMBER:
            return self._load(*decode_texts(body))
        if number == DELISTED_NUMBER:
            self._delisted = decode_texts(body)
        if self._answerer is None:
            return 0
        if number == DELISTED_NUMBER:
            self._answerer.delist(self._delisted)
            return 0
        status, reply = _answer(self._answerer, self._hook, body)
        self._say(number, status, reply or b"the worker ran out of memory")
        return 0 if reply else OUT_OF_MEMORY  # what it holds may be half-made

    def _load(self, version: str, interval: str) -> int:
        try:
            self._answerer = load_answerer(self._settings, version, interval)
            self._answerer.delist(self._delisted)
            self._answerer.warm()
        except Exception as error:
            logger.exception("models_not_loaded version=%s", version)
            self._say(READY_NUMBER, messages.FAILED, repr(error).encode())
            return NOT_LOADED
        gc.collect()
        gc.freeze()  # what was loaded stays: no collection need look at it
        self._say(READY_NUMBER, messages.ANSWERED)
        return 0

    def _say(self, number: int, status: int, body: bytes = b"") -> None:
        self._stream.sendall(messages.pack_reply(number, status, body))


def load_answerer(settings: Settings, version: str, interval: str) -> "Answerer":
    """Load the models of an hour; HeadraceError says what is missing."""
    from contracts.serving_model import read_serving_model
    from models.blas import use_one_thread
    from models.two_stage import load_serving
    from serving.inference.answering import Answerer
    from serving.inference.feature_log import FeatureLog
    from serving.inference.profile_stores import open_profiles

    layout = Layout(settings.root)
    model = read_serving_model(layout, interval)
    bundle = load_serving(layout, model, settings.candidate_count)
    use_one_thread()
    profiles = open_profiles(settings, model.profiles_folder(layout))
    weights = parse_event_weights(settings.event_weights)
    return Answerer(version, bundle, profiles, weights, model.as_of_at, FeatureLog.of(settings, interval))


def _answer(answerer: "Answerer", hook: Hook, body: bytes) -> tuple[int, bytes]:
    """Status and body of a reply; an empty body is the end of the process."""
    try:
        ask = messages.decode_ask(body)
        hook(ask.user_id)
        return messages.ANSWERED, messages.encode_answer(answerer.answer(ask))
    except (HeadraceError, msgspec.MsgspecError) as error:
        return messages.FAILED, str(error).encode() or b"failed"
    except MemoryError:
        return messages.FAILED, b""
    except Exception:
        logger.exception("question_failed")
        return messages.FAILED, b"the worker failed over this question; its log says why"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
