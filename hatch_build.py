"""Puts the compiled knowledge tables into the wheel, so that an installation parses none, be it read-only.

With ASYNCLINT_COMPILE=1 the wheel also holds the facts compiled by mypyc, for this Python and this machine only.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from asynclint.knowledge.compiled import NAME, pack

COMPILE = os.environ.get("ASYNCLINT_COMPILE", "") not in ("", "0")


class CompiledTables(BuildHookInterface):
    def dependencies(self) -> list[str]:
        """Nothing but what compiles."""
        if not COMPILE:
            return []
        # Only who compiles needs the script.
        from scripts.compile_facts import REQUIREMENTS

        return list(REQUIREMENTS)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write `tables.bin` beside the wheel; an editable installation compiles for itself."""
        if version == "editable":
            return
        target = Path(self.directory, NAME)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(pack())
        build_data["force_include"][str(target)] = f"asynclint/knowledge/{NAME}"
        if COMPILE:
            from scripts.compile_facts import compile_facts

            for path in compile_facts(self._compiled()):
                build_data["force_include"][str(self._compiled() / path)] = path.as_posix()
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Only the wheel keeps it."""
        Path(self.directory, NAME).unlink(missing_ok=True)
        shutil.rmtree(self._compiled(), ignore_errors=True)

    def _compiled(self) -> Path:
        return Path(self.directory, "compiled-facts")
