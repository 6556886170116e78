"""What is brought to the one thread that works on the state of a VEN."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pushed:
    """A message of the VTN; `answer` is what the sender waits for."""

    body: bytes
    answer: "Future[bytes]" = field(default_factory=Future)

    def answer_by(self, work: Callable[[bytes], bytes]) -> None:
        """Give the sender what `work` makes of the message, or the exception that it ends with."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            self.answer.set_result(work(self.body))
        except Exception as error:
            self.answer.set_exception(error)
            raise


class Inbox:
    """Messages that came, in their order; what wakes who waits for them may be no message."""

    def __init__(self) -> None:
        """Be empty."""
        self._waiting: queue.SimpleQueue[Pushed | None] = queue.SimpleQueue()

    def put(self, body: bytes) -> "Future[bytes]":
        """Bring a message, from any thread; return what will be its answer."""
        pushed = Pushed(body)
        self._waiting.put(pushed)
        return pushed.answer

    def wake(self) -> None:
        """Have `next` return, from any thread or a signal."""
        self._waiting.put(None)

    def next(self, wait_s: float) -> Pushed | None:
        """Return the next message; None after so many seconds, or when it is woken."""
        try:
            return self._waiting.get(timeout=wait_s)
        except queue.Empty:
            return None
