"""`python -m asynclint` and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; `--version` is answered without reading anything else."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from asynclint import __version__

        print(f"asynclint {__version__}")
        return
    from asynclint.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
