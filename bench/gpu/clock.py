"""How long a run may take: what does not fit into it is left to the next one, which goes on from there."""

import time


class OutOfTime(Exception):
    """The step was cut, and is to be done again."""


class Clock:
    def __init__(self, minutes=None, tuning=1.0):
        """`minutes`: None is as long as it takes. `tuning`: which part of what is left when it begins it may take."""
        self.end = None if minutes is None else time.time() + 60 * minutes
        self.tuning = tuning

    def left(self):
        """Seconds; None: as many as it takes."""
        return None if self.end is None else max(0.0, self.end - time.time())

    def left_to_tune(self):
        return None if self.end is None else self.tuning * self.left()

    def over(self):
        return self.left() == 0
