"""The fixtures of the tests of runs, shared with the tests of functions."""

from tests.runs.conftest import client, engine, services

__all__ = ["client", "engine", "services"]
