#!/usr/bin/env python3
"""Measures a pack of `normforge tune --pack` on the workers of a Dask cluster. Each problem is a task, and the pack lies where every worker sees it.

A worker that dies takes nothing along: Dask gives its task to another one, and the runner goes on with what its file of Records lacks. (The runner of a dead worker
may still be at work; a second one waits for it, and then finds that there is nothing left to do.)"""

import argparse
import os
import subprocess

from dask.distributed import Client, as_completed


def measure(pack, problem):
    records = os.path.join(pack, "records")
    os.makedirs(records, exist_ok=True)
    subprocess.run([os.path.join(pack, "run"), os.path.join(pack, problem), "--db", os.path.join(records, problem + ".db")], check=True)


def main():
    parser = argparse.ArgumentParser(description="Measure a pack on the workers of a Dask cluster")
    parser.add_argument("pack", help="directory that `normforge tune --pack` made")
    parser.add_argument("--scheduler", help="address of a cluster that runs; each machine should have one worker with one thread")
    parser.add_argument("--workers", type=int, default=1, help="without --scheduler: so many workers on this machine (they disturb each other's timings)")
    arguments = parser.parse_args()
    pack = os.path.abspath(arguments.pack)
    problems = sorted(name for name in os.listdir(pack) if name.endswith(".problem"))
    where = {"address": arguments.scheduler} if arguments.scheduler else {"n_workers": arguments.workers, "threads_per_worker": 1, "dashboard_address": None}
    with Client(**where) as client:
        tasks = {client.submit(measure, pack, problem, retries=3, pure=False): problem for problem in problems}
        for done, task in enumerate(as_completed(tasks), 1):
            task.result()
            print(f"{done} of {len(tasks)}: {tasks[task]}", flush=True)


if __name__ == "__main__":
    main()
