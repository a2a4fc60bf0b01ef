"""`python -m qcaps`."""

import sys

from qcaps.commands import main

if __name__ == "__main__":
    sys.exit(main())
