"""`python -m asynclint` and the console script."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line; `--version` is answered without reading anything else."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from asynclint import __version__

        print(f"asynclint {__version__}")
        return
    # A run ends before its garbage would matter, and its facts are no garbage.
    gc.disable()
    from asynclint.replay import replay

    code = replay(sys.argv[1:])
    if code is None:
        from asynclint.cli import run

        code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    # The facts of a large project take longer to take down than a small one takes to check.
    os._exit(code)


if __name__ == "__main__":
    main()
