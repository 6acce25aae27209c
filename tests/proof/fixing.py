"""A copy of a service with its fixes applied, as a user would apply them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def fix(directory: Path, rules: str) -> subprocess.CompletedProcess[str]:
    """Run `asynclint check --fix --unsafe-fixes` in a directory, with the tree under test."""
    command = [sys.executable, "-m", "asynclint", "check", "--fix", "--unsafe-fixes", "."]
    return subprocess.run(
        [*command, "--no-cache", "--show-fixes", "--select", rules],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
