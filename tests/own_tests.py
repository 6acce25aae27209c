"""Run the tests that projects have of their own, one project after the other: `own_tests.py ROOT…`."""

from __future__ import annotations

import sys

import pytest

OWN = ("shop", "conftest", "test_pages")
"""Modules of a project; the next one has its own."""


def main() -> None:
    del sys.path[0]
    for root in sys.argv[1:]:
        for name in [n for n in sys.modules if n.partition(".")[0] in OWN]:
            del sys.modules[name]
        sys.path.insert(0, root)
        if pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--rootdir", root, f"{root}/tests"]):
            sys.exit(f"the tests in {root} fail")


if __name__ == "__main__":
    main()
