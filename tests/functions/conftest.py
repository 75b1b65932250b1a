"""The fixtures of the runs' tests, shared by those of the functions."""

from tests.runs.conftest import client, engine, services

__all__ = ["client", "engine", "services"]
