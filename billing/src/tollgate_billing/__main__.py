"""``python -m tollgate_billing`` serves; ``replay [--id ID]`` replays dead letters; ``verify`` checks the ledger."""

import argparse
import sys

from tollgate_billing.main import replay_command, serve, verify_command
from tollgate_billing.settings import Settings


def main() -> int:
    """Exit code 2 where the settings are not usable, 1 where the ledger is not sound."""
    parser = argparse.ArgumentParser(prog="tollgate_billing", description="Tollgate's ledger and billing API.")
    commands = parser.add_subparsers(dest="command")
    replaying = commands.add_parser("replay", help="put dead letters back on their streams")
    replaying.add_argument("--id", help="one letter; all that are open if absent")
    commands.add_parser("verify", help="check the ledger's invariants")
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environment()
    except (KeyError, ValueError) as error:
        sys.stderr.write(f"setting missing or not usable: {error}\n")
        return 2
    if arguments.command == "replay":
        sys.stdout.write(f"replayed {replay_command(settings, arguments.id)}\n")
        return 0
    if arguments.command == "verify":
        found = verify_command(settings)
        sys.stdout.write("".join(f"{sentence}\n" for sentence in found) or "the ledger is sound\n")
        return 1 if found else 0
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
