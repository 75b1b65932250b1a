"""The function app here: ``start``, ``demo``, ``func``; elsewhere ``preflight``, ``seed`` and ``forget``."""

import argparse
import sys
from pathlib import Path

from devhost.start import start


def main() -> int:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="devhost", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "start",
        help="run the app until Ctrl-C",
        epilog="Environment: PORT (default 7071, 0 for a free port), DATA_DIR keeps data between starts, "
        "MONGODB_URL and REDIS_URL use external servers instead of embedded ones, SEED=1 seeds such a MongoDB too, "
        "FUNCTIONS_MASTER_KEY is the key of the host's admin API (default: a random one).",
    )
    command.add_argument("--script-root", type=Path, default=Path(__file__).parent.parent, help="folder of the app")
    command.add_argument("--verbose", action="store_true", help="show tracebacks")
    commands.add_parser("demo", help="run the analysis once on sample data and print a report")
    commands.add_parser("func", help="run the app under Azure Functions Core Tools, with Azurite, until Ctrl-C")
    check = commands.add_parser(
        "check-data", help="report whether a run over the database and the prices would be sound"
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    look = commands.add_parser("preflight", help="report what is missing in an environment; changes nothing")
    look.add_argument("--settings", type=Path, help="file with the app's settings (default: the environment)")
    look.add_argument("--url", help="address of the deployed app, to check it from outside too")
    look.add_argument("--subscription", help="check what this subscription lacks for the first deployment instead")
    fill = commands.add_parser("seed", help="write the sample users into the database of an environment for tests")
    fill.add_argument("--settings", type=Path, help="file with the app's settings (default: the environment)")
    erasure = commands.add_parser("forget", help="show everything that is kept about a person, or erase it")
    erasure.add_argument("user", metavar="USER", help="id of the person")
    erasure.add_argument("--yes", action="store_true", help="erase it")
    erasure.add_argument("--settings", type=Path, help="file with the app's settings (default: the environment)")
    arguments = parser.parse_args()
    if arguments.command == "preflight":
        from devhost.preflight import main as preflight

        return preflight(arguments.settings, arguments.url, arguments.subscription)
    if arguments.command == "seed":
        from devhost.seeding import main as seed

        return seed(arguments.settings)
    if arguments.command == "forget":
        from devhost.forget import main as forget

        return forget(arguments.user, arguments.settings, erase=arguments.yes)
    if arguments.command == "check-data":
        from devhost.check_data import main as check_data

        return check_data(Path(__file__).parent.parent, as_json=arguments.json)
    if arguments.command == "func":
        from devhost.real_host import func

        return func(Path(__file__).parent.parent)
    if arguments.command == "demo":
        from devhost.demo import main as demo

        return demo()
    return start(arguments.script_root, verbose=arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
