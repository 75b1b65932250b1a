"""Threads in virtual time: one runs at a time, in a fixed order, and time passes only while all of them wait."""

import heapq
import itertools
import math
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self


class _Wait:
    """A thread that waits for a condition, for a time, or for whichever comes first."""

    def __init__(self, condition: Callable[[], bool] | None) -> None:
        self.condition = condition
        self.resumed = threading.Event()
        self.is_over = False


class VirtualTime:
    """Runs threads that take their time from here."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count()
        self._timed: list[tuple[float, int, _Wait]] = []
        self._conditional: list[_Wait] = []
        self._paused = threading.Semaphore(0)
        self._errors: list[BaseException] = []

    def __call__(self) -> float:
        return self.now

    def start(self, work: Callable[[], None], delay: float = 0.0) -> None:
        """Run ``work`` in a thread of its own, after a delay in seconds."""
        first = self._wait(None, delay)

        def run() -> None:
            first.resumed.wait()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised in the test's thread
                self._errors.append(error)
            self._paused.release()

        threading.Thread(target=run, daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """Let the current thread wait for some seconds."""
        self._pause(self._wait(None, seconds))

    def wait_until(self, condition: Callable[[], bool], seconds: float = math.inf) -> bool:
        """Let the current thread wait until the condition holds, for some seconds at most; return whether it does."""
        if not condition():
            self._pause(self._wait(condition, seconds))
        return condition()

    def run(self) -> None:
        """Return when every thread has ended or waits for something that cannot come; raise the first error of one."""
        while (wait := self._next()) is not None and not self._errors:
            wait.is_over = True
            wait.resumed.set()
            self._paused.acquire()
        if self._errors:
            raise self._errors[0]

    def _wait(self, condition: Callable[[], bool] | None, seconds: float) -> _Wait:
        wait = _Wait(condition)
        if condition is not None:
            self._conditional.append(wait)
        if seconds < math.inf:
            heapq.heappush(self._timed, (self.now + seconds, next(self._numbers), wait))
        return wait

    def _pause(self, wait: _Wait) -> None:
        self._paused.release()
        wait.resumed.wait()

    def _next(self) -> _Wait | None:
        self._conditional = [wait for wait in self._conditional if not wait.is_over]
        for wait in self._conditional:
            if wait.condition is not None and wait.condition():
                return wait
        while self._timed:
            moment, _, wait = heapq.heappop(self._timed)
            if not wait.is_over:
                self.now = max(self.now, moment)
                return wait
        return None


class VirtualSemaphore:
    """A semaphore of threads in virtual time."""

    def __init__(self, time: VirtualTime, value: int) -> None:
        self._time = time
        self._value = value

    def acquire(self, timeout: float = math.inf) -> bool:
        """Take one within a time; return whether there was one."""
        if not self._time.wait_until(lambda: self._value > 0, timeout):
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        self._value += 1


class VirtualThreadPool:
    """The part of ``ThreadPoolExecutor`` that providers use, in virtual time."""

    def __init__(self, time: VirtualTime, threads: int) -> None:
        self._time = time
        self._threads = threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        pass

    def map[Item](self, call: Callable[[Item], None], items: Iterable[Item]) -> list[None]:
        """Call for each item until one call fails, then raise its error when those under way have ended."""
        left, errors, ended = iter(items), list[Exception](), list[bool]()

        def work() -> None:
            for item in left:
                try:
                    call(item)
                except Exception as error:  # noqa: BLE001 - raised in the caller's thread
                    errors.append(error)
                if errors:
                    break
            ended.append(True)

        for _ in range(self._threads):
            self._time.start(work)
        self._time.wait_until(lambda: len(ended) == self._threads)
        if errors:
            raise errors[0]
        return []
