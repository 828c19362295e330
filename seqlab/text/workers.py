"""A small pool of worker processes, fed and read in order.

Plain subprocesses that talk over pipes. Unlike those of `multiprocessing` they do not import the caller's main script,
which may lack `if __name__ == "__main__"`, and fork no threads of torch. joblib's (loky) take a third more memory
(305 instead of 230 MB to prepare 30 MB of words) and 0.3 s of processor time more to start.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, Any

from ..base.errors import SeqlabError
from ..base.interrupts import in_background

IN_FLIGHT = 2
"""Items a worker has at most: one it works on, one waiting in this process."""

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from seqlab.text.workers import serve; serve()"


class Workers:
    """Context manager: `count` processes, each holding `job = factory(*args)`; 0 works in this process.

    Ctrl-C is answered at once either way: a terminal sends it to every process of the program, but not to those of a
    group of their own.

    Args:
        count: processes.
        factory: a function of a module, so that a worker can import it.
        args: of the factory.
        parallel: whether the libraries a worker uses may start threads of their own.
    """

    def __init__(self, count: int, factory: Callable[..., Callable[[Any], Any]], *args: Any, parallel: bool = False):
        self.count = count if sys.executable else 0
        self.factory, self.args, self.parallel = factory, args, parallel
        self.processes: list[subprocess.Popen[bytes]] = []
        self.threads: list[ThreadPoolExecutor] = []
        """One for each process: it sends an item and reads its result, in turn, so that no pipe waits for another."""

    def __enter__(self) -> Workers:
        environment = dict(os.environ)
        if not self.parallel:
            environment |= {"TOKENIZERS_PARALLELISM": "false"}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # numpy starts no idle threads
        command = [sys.executable, "-P", "-c", _START, json.dumps(sys.path)]
        for _ in range(self.count):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0
            )
            self.processes.append(process)
            self.threads.append(ThreadPoolExecutor(1))
            self._send(process, (self.factory, self.args))
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes:
            process.kill()
        for thread in self.threads:
            thread.shutdown(cancel_futures=True)
        for process in self.processes:
            process.communicate()

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """The results of the job for every item, in order; only a few items are under way at a time.

        Item n goes to process n % count: each process meets its items in order.
        """
        if not self.processes:
            job = self.factory(*self.args)
            for item in items:
                yield in_background(job, item)
            return
        waiting: deque[Future[Any]] = deque()
        for number, item in enumerate(items):
            if len(waiting) == IN_FLIGHT * self.count:
                yield waiting.popleft().result()
            place = number % self.count
            waiting.append(self.threads[place].submit(self._exchange, self.processes[place], item))
        while waiting:
            yield waiting.popleft().result()

    def _exchange(self, process: subprocess.Popen[bytes], item: Any) -> Any:
        self._send(process, item)
        return self._receive(process)

    def _send(self, process: subprocess.Popen[bytes], message: Any) -> None:
        assert process.stdin is not None
        try:
            pickle.dump(message, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
        except BrokenPipeError:
            raise _lost(process) from None

    def _receive(self, process: subprocess.Popen[bytes]) -> Any:
        assert process.stdout is not None
        try:
            result = pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            raise _lost(process) from None
        if isinstance(result, BaseException):
            raise result
        return result


def _lost(process: subprocess.Popen[bytes]) -> SeqlabError:
    code = process.wait()
    reason = " (was it killed for lack of memory?)" if code == -9 else ""
    return SeqlabError(f"a worker process ended unexpectedly with status {code}{reason}; run the command again.")


def serve() -> None:
    """What a worker process does: read the factory, then items, write results, until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows knows no groups; the parent decides when to stop
    requests: IO[bytes] = os.fdopen(os.dup(0), "rb")
    results: IO[bytes] = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with results
    try:
        factory, args = pickle.load(requests)
        job: Callable[[Any], Any] | None = None
        while True:
            item = pickle.load(requests)
            try:
                job = job or factory(*args)
                result = job(item)
            except SeqlabError as error:
                result = error
            except Exception as error:
                result = SeqlabError(f"a worker process failed ({type(error).__name__}: {error}).")
            pickle.dump(result, results, pickle.HIGHEST_PROTOCOL)
            results.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)
