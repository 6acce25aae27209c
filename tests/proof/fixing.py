"""A copy of a service with its fixes applied, as a user would apply them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nursery

ROOT = Path(__file__).resolve().parent.parent.parent


def fix(directory: Path, rules: str) -> subprocess.CompletedProcess[str]:
    """Run `asynclint check --fix --unsafe-fixes` in a directory, with the tree under test."""
    done = nursery.run(
        nursery.ASYNCLINT,
        [
            *("check", "--fix", "--unsafe-fixes", "."),
            *("--no-cache", "--show-fixes", "--select", rules),
        ],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
