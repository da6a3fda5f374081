"""Times of all contestants of a case, side by side: each as a CUDA graph of calls on rotating buffers, in rounds of random order. Before a
sample a large clear is enqueued, so that L2 holds nothing of the case and the GPU has work while Python enqueues the sample."""

import contextlib
import math
import random
import statistics
import time
from dataclasses import dataclass

from buffers import Buffers, TooLarge
from cases import Absent
from contestants import failure
from driver import GpuError

SAMPLE_SECONDS = 200e-6


@dataclass(frozen=True)
class Effort:
    rounds: int  # of samples
    calls: int  # in a sample, at most: so many sets of buffers as well
    launches: int  # that the host is timed over


FULL, EMULATED = Effort(15, 128, 1000), Effort(2, 3, 3)


class Broken(GpuError):
    """A kernel of a contestant did what it may not: no more can be done in this process."""

    def __init__(self, contestant, why):
        super().__init__(f"{contestant} broke the GPU's context: {why}")
        self.contestant = contestant


class Bench:
    def __init__(self, driver, contestants, effort, trying=lambda case, contestant: None):
        """`trying` is told of each contestant's name before it is called, which may be the last that is heard of this process."""
        self.driver, self.contestants, self.effort, self.trying = driver, contestants, effort, trying
        self.facts = driver.facts()
        self.cleared = min(max(8 * self.facts["l2_bytes"], 1 << 16), self.facts["free_bytes"] // 8)
        self.scratch = driver.allocate(self.cleared)
        self.begin, self.end = driver.event(), driver.event()
        self.copy_speed = self.measure_copy()

    def sample(self, enqueue):
        """Seconds on the GPU."""
        self.driver.clear(self.scratch, self.cleared)
        self.driver.record(self.begin)
        enqueue()
        self.driver.record(self.end)
        return self.driver.seconds(self.begin, self.end)

    def measure_copy(self):
        """Bytes per second, read and written, of the driver's copy between buffers that L2 does not hold: what no kernel is expected to beat."""
        size = min(1 << 30, self.facts["free_bytes"] // 4, max(16 * self.facts["l2_bytes"], 1 << 16))
        one, other = self.driver.allocate(size), self.driver.allocate(size)
        copy = lambda: self.driver.copy(other, one, size)
        best = min(self.sample(copy) for _ in range(self.effort.rounds + 3))
        self.driver.free(one)
        self.driver.free(other)
        return 2 * size / best

    def run(self, case, broke=()):
        """What is known of a case: times by contestant, or why there are none. `broke`: those that broke the context at this case before."""
        self.case = case
        result = {"norm": case.norm, "dtype": case.dtype, "rows": case.rows, "cols": case.cols, "bytes": case.moved_bytes()}
        try:
            buffers = Buffers(self.driver, case, self.facts, self.effort.calls)
        except TooLarge as error:
            return result | {"skipped": str(error)}
        running = []  # contestants, how a sample of theirs is enqueued, and what frees that
        try:
            return result | self.run_on(case, buffers, running, broke)
        finally:
            for free in [free for _, _, free in running] + [contestant.free for contestant in self.contestants] + [buffers.free]:
                with contextlib.suppress(Exception):  # nothing can be freed of a context that is broken, which shows soon enough
                    free()

    def run_on(self, case, buffers, running, broke):
        sets = len(buffers.sets)
        expected_seconds = case.moved_bytes() / self.copy_speed
        calls = min(self.effort.calls, max(sets, math.ceil(SAMPLE_SECONDS / expected_seconds)))
        answers = {name: {"absent": "it broke the GPU's context before"} for name in broke}
        for contestant in self.contestants:
            if contestant.name not in broke:
                self.attempt(contestant, answers, lambda: running.append(self.ready(contestant, case, buffers, calls, answers)))
        samples = {contestant.name: [] for contestant, _, _ in running}
        for warm_up in [True] + [False] * self.effort.rounds:
            for contestant, replay, _ in random.sample(running, len(running)):
                if "absent" not in answers[contestant.name]:
                    seconds = self.attempt(contestant, answers, lambda: self.sample(replay) / calls)
                    samples[contestant.name] += [] if warm_up else [seconds]
        for contestant, _, _ in running:
            if "absent" not in answers[contestant.name]:
                times = samples[contestant.name]
                median = statistics.median(times)
                answers[contestant.name] |= {"seconds": median, "samples": times, "copy_fraction": expected_seconds / median}
                if case.rows == 1 and (seconds := self.attempt(contestant, answers, lambda: self.launch_seconds(contestant))):
                    answers[contestant.name]["launch_seconds"] = seconds
        return {"sets": sets, "calls": calls, "copy_bytes_per_second": self.copy_speed, "results": answers}

    def attempt(self, contestant, answers, work):
        """What `work` returns. Whatever a peer raises instead is its result; where it has broken the context, nobody can go on."""
        self.trying(self.case, contestant.name)
        try:
            return work()
        except Exception as error:
            if contestant.name == "normforge":
                raise
            answers[contestant.name] = {"absent": failure(error)}
        try:
            self.driver.synchronize()
        except GpuError:
            raise Broken(contestant.name, answers[contestant.name]["absent"]) from None

    def ready(self, contestant, case, buffers, calls, answers):
        """The contestant with its samples, once its results are right."""
        answer = answers[contestant.name] = contestant.prepare(case, buffers) or {}
        answer["deviation"] = self.deviation(contestant, buffers)
        if answer["deviation"] > 1:
            raise Absent("its results lie too far from the f64 ones")
        return contestant, *self.prepared(contestant, calls, answer)

    def deviation(self, contestant, buffers):
        outputs = contestant.outputs()
        self.driver.synchronize()
        return buffers.deviation(outputs)

    def prepared(self, contestant, calls, answer):
        """How a sample of the contestant is enqueued, and what frees that; a contestant that cannot be captured is called call by call."""
        try:
            replay, free = contestant.capture(calls)
            answer["captured"] = True
            return replay, free
        except Exception as error:
            if contestant.name == "normforge":
                raise
            answer["captured"], answer["capture_error"] = False, failure(error)
            return lambda: [contestant.enqueue(i) for i in range(calls)], lambda: None

    def launch_seconds(self, contestant):
        """Of the host, for each call, from Python."""
        self.driver.synchronize()
        begin = time.perf_counter()
        for i in range(self.effort.launches):
            contestant.enqueue(i)
        seconds = time.perf_counter() - begin
        self.driver.synchronize()
        return seconds / self.effort.launches
