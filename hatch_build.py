"""Puts the compiled knowledge tables into the wheel, so that an installation parses none, be it read-only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from asynclint.knowledge.compiled import NAME, pack


class CompiledTables(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write `tables.bin` beside the wheel; an editable installation compiles for itself."""
        if version == "editable":
            return
        target = Path(self.directory, NAME)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(pack())
        build_data["force_include"][str(target)] = f"asynclint/knowledge/{NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Only the wheel keeps it."""
        Path(self.directory, NAME).unlink(missing_ok=True)
