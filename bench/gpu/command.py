"""What the programs behind `./dev gpu` have in common: a mistake, Ctrl-C or a reader that has gone ends them with one line or none, never with
a traceback."""

import argparse
import os
import sys


class Parser(argparse.ArgumentParser):
    def __init__(self, description):
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message):
        sys.exit(f"gpu: {message}")


def run(main):
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit("gpu: stopped; the same command goes on from here")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        sys.exit(1)
