"""How long a run may take: what does not fit into it is left to the next one, which goes on from there."""

import time


class OutOfTime(Exception):
    """The step was cut, and is to be done again."""


class Clock:
    def __init__(self, minutes=None):
        """None: as long as it takes."""
        self.end = time.time() + 60 * minutes if minutes else None

    def left(self, share=1.0):
        """Seconds, of which a step may take this share; None: as many as it takes."""
        return None if self.end is None else max(0.0, share * (self.end - time.time()))

    def over(self):
        return self.end is not None and time.time() >= self.end
