"""`python -m tauhat` is the `tauhat` command."""

import sys

from tauhat.cli import main

if __name__ == "__main__":
    sys.exit(main())
