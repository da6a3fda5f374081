#!/bin/sh
# Runs a Python test with the interpreter that has the packages of tests/requirements.txt: the one in .venv/ where ./dev made it, else the system's.
venv=$(dirname "$0")/../.venv/bin/python
[ -x "$venv" ] && exec "$venv" "$@"
exec python3 "$@"
