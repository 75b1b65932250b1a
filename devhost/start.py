"""``make start``: the app with its services, until Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from devhost import logs
from devhost.banner import CONSOLE, Servers, data_of, say, tell_console, tell_secret, tell_servers
from devhost.children import kill_all
from devhost.data_dir import held, private_folder
from devhost.environment import app_environment, local_settings, with_secret
from devhost.errors import HostEndedError, StartError
from devhost.host import RunningHost, functions_host
from devhost.platform_settings import MASTER_KEY
from devhost.services import Service, embedded_mongodb, embedded_redis
from settings import SettingsError, mongodb_database

_LAST_PORT = 65_535
# One Ctrl-C may arrive twice: from the terminal and from make.
_SAME_SIGNAL_SECONDS = 0.5
_ADDRESS = "127.0.0.1"
_OWNER_ONLY = 0o077
"""The mask for files of this process and its children: other users of this machine may not read portfolios."""
_EXTERNAL = "set in the environment"
_PAGES = {"API description": "api/openapi.json", "Health": "api/health"}


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The options of ``python -m devhost start``, from its arguments and the environment."""

    app_dir: Path
    port: int
    data_dir: Path | None
    seed: bool
    verbose: bool

    @classmethod
    def read(cls, app_dir: Path, environment: Mapping[str, str], *, verbose: bool) -> "StartOptions":
        """Read PORT, DATA_DIR and SEED.

        Raises:
            StartError: PORT is not a port number, or DATA_DIR is not a folder for data that only its owner may read.
        """
        port = environment.get("PORT") or "7071"
        if not port.isdecimal() or int(port) > _LAST_PORT:
            raise StartError(f"PORT must be a whole number from 0 to 65535, not {port}")
        data_dir = environment.get("DATA_DIR")
        return cls(
            app_dir=app_dir.resolve(),
            port=int(port),
            data_dir=private_folder(Path(data_dir)) if data_dir else None,
            seed=environment.get("SEED") == "1",
            verbose=verbose,
        )


def start(app_dir: Path, *, verbose: bool) -> int:
    """Run until SIGINT or SIGTERM and return the exit code."""
    return run(lambda: _serve(StartOptions.read(app_dir, os.environ, verbose=verbose)), verbose=verbose)


def run(serve: Callable[[], Coroutine[None, None, None]], *, verbose: bool) -> int:
    """Run the coroutine of ``serve`` until SIGINT or SIGTERM, end all child processes, and return the exit code."""
    logs.configure(verbose=verbose)
    os.umask(_OWNER_ONLY)
    try:
        asyncio.run(_until_signal(serve()))
    except StartError as error:
        print(error, file=sys.stderr)
        if verbose:
            print(error.detail, file=sys.stderr)
        return 1
    except HostEndedError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception:  # noqa: BLE001 - a bug of the host: show the traceback and end all child processes
        traceback.print_exc()
        return 1
    finally:
        kill_all()
    return 0


async def _until_signal(serve: Coroutine[None, None, None]) -> None:
    serving = asyncio.create_task(serve)
    loop = asyncio.get_running_loop()
    first_signal: float | None = None

    def on_signal() -> None:
        nonlocal first_signal
        if first_signal is None:
            first_signal = loop.time()
            serving.cancel()
        elif loop.time() - first_signal > _SAME_SIGNAL_SECONDS:
            kill_all()
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve(options: StartOptions) -> None:
    local = local_settings(options.app_dir)
    with held(options.data_dir), _listening_socket(options.port) as listener:
        async with servers(options, local) as running:
            host = functions_host(options.app_dir, running.environment, listener, data_dir=options.data_dir)
            async with host as serving:
                _announce(serving, running)
                await asyncio.Event().wait()


@asynccontextmanager
async def servers(options: StartOptions, local: Mapping[str, str]) -> AsyncIterator[Servers]:
    """Run MongoDB with sample users and Redis, or use external servers, and yield them.

    Raises:
        StartError: a server does not start or cannot be reached, or refuses the sample users.
    """
    # MongoDB first: it checks DATA_DIR, Redis does not.
    async with _mongodb(options) as mongodb, _redis(options) as redis:
        environment = app_environment(local, os.environ, {"MONGODB_URL": mongodb.url, "REDIS_URL": redis.url})
        only_samples = await _prepare(mongodb, environment, options)
        # With FIELDS the app reads other documents than the sample's.
        only_samples = only_samples and not environment.get("FIELDS")
        yield Servers(with_secret(environment, only_samples=only_samples), mongodb, redis, only_samples)


@contextmanager
def _listening_socket(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((_ADDRESS, port))
    except OSError as error:
        raise StartError(
            f"port {port} cannot be used: {os.strerror(error.errno or 0)}; choose another port with PORT"
        ) from None
    with listener:
        yield listener


def _mongodb(options: StartOptions) -> AbstractAsyncContextManager[Service]:
    url = os.environ.get("MONGODB_URL")
    return nullcontext(Service(url, _EXTERNAL)) if url else embedded_mongodb(options.data_dir)


def _redis(options: StartOptions) -> AbstractAsyncContextManager[Service]:
    url = os.environ.get("REDIS_URL")
    return nullcontext(Service(url, _EXTERNAL)) if url else embedded_redis(options.data_dir)


async def _prepare(mongodb: Service, environment: Mapping[str, str], options: StartOptions) -> bool:
    """Write the sample users: to an embedded MongoDB without users, to an external one only on request.

    Return whether the data are certainly the sample's: an external database is somebody's own.
    """
    from devhost.mongodb import create_collections, holds_only_samples, reach, seed

    try:
        database = mongodb_database(environment)
    except SettingsError as error:
        raise StartError(str(error)) from None
    embedded = mongodb.description != _EXTERNAL
    if embedded:
        create_collections(mongodb.url, database)
    else:
        await reach(mongodb.url)
    if embedded or options.seed:
        seed(mongodb.url, database, only_if_empty=embedded)
    return embedded and holds_only_samples(mongodb.url, database)


def _announce(host: RunningHost, running: Servers) -> None:
    templates = {route.template for route in host.routes}
    is_ours = CONSOLE in templates  # this host also runs other apps, which read no users and no prices
    data = data_of(running) if is_ours else None
    if is_ours:
        tell_console(host.base_url)
    tell_secret(running.environment)
    tell_servers(running, data)
    for name, path in _PAGES.items():
        if path in templates:
            say(f"{name}: {host.base_url}/{path}")
    if not os.environ.get(MASTER_KEY):
        say(f"Host master key (/admin API): {host.master_key}")
    say(f"Listening on {host.base_url}")
