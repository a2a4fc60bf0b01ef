"""`qcaps` and `python -m qcaps`: Ctrl-C while the command line is imported is no traceback either."""

import sys


def main() -> int:
    """Run one command; its exit status."""
    try:
        from qcaps.commands import main as run
    except KeyboardInterrupt:
        sys.stderr.write("qcaps: interrupted\n")
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
