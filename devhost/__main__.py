"""The app here: ``start``, ``demo``, ``func``; elsewhere ``preflight``, ``check-data``, ``seed``, ``forget``."""

import argparse
import sys
from pathlib import Path

from devhost.start import start

_APP_DIR = Path(__file__).parent.parent


def main() -> int:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="devhost", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "start",
        help="run the app until Ctrl-C",
        epilog="Environment: PORT (default 7071, 0 for a free port), DATA_DIR keeps data between starts, "
        "MONGODB_URL and REDIS_URL use external servers instead of embedded ones, SEED=1 seeds such a MongoDB too, "
        "FUNCTIONS_MASTER_KEY is the key of the host's admin API (default: a random one).",
    )
    command.add_argument("--script-root", type=Path, default=_APP_DIR, help="folder of the app")
    command.add_argument("--verbose", action="store_true", help="show tracebacks and the time of every function call")
    command.set_defaults(run=lambda own: start(own.script_root, verbose=own.verbose))
    demo = commands.add_parser("demo", help="run the analysis once on sample data and print a report")
    demo.set_defaults(run=_demo)
    func = commands.add_parser("func", help="run the app under Azure Functions Core Tools, with Azurite, until Ctrl-C")
    func.set_defaults(run=_func)
    check = commands.add_parser(
        "check-data", help="report whether a run over the database and the prices would be sound"
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(run=_check_data)
    look = commands.add_parser(
        "preflight", help="report what is missing in an environment; creates indexes, changes nothing else"
    )
    look.add_argument("--url", help="address of the deployed app, to check it from outside too")
    look.add_argument("--subscription", help="check what this subscription lacks for the first deployment instead")
    look.set_defaults(run=_preflight)
    fill = commands.add_parser("seed", help="write the sample users into the database of an environment for tests")
    fill.set_defaults(run=_seed)
    erasure = commands.add_parser("forget", help="show everything that is kept about a person, or erase it")
    erasure.add_argument("user", metavar="USER", help="id of the person")
    erasure.add_argument("--yes", action="store_true", help="erase it")
    erasure.set_defaults(run=_forget)
    for elsewhere in (check, look, fill, erasure):
        elsewhere.add_argument("--settings", type=Path, help="file with the app's settings (default: the environment)")
    arguments = parser.parse_args()
    code: int = arguments.run(arguments)
    return code


# Each command imports what it needs: much of it is slow to import.


def _demo(_: argparse.Namespace) -> int:
    from devhost.demo import main as demo

    return demo()


def _func(_: argparse.Namespace) -> int:
    from devhost.real_host import func

    return func(_APP_DIR)


def _check_data(arguments: argparse.Namespace) -> int:
    from devhost.check_data import main as check_data

    return check_data(_APP_DIR, arguments.settings, as_json=arguments.json)


def _preflight(arguments: argparse.Namespace) -> int:
    from devhost.preflight import main as preflight

    return preflight(arguments.settings, arguments.url, arguments.subscription)


def _seed(arguments: argparse.Namespace) -> int:
    from devhost.seeding import main as seed

    return seed(arguments.settings)


def _forget(arguments: argparse.Namespace) -> int:
    from devhost.forget import main as forget

    return forget(arguments.user, arguments.settings, erase=arguments.yes)


if __name__ == "__main__":
    sys.exit(main())
