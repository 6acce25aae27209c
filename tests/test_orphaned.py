"""Objects that are changed behind a wait while others may fill the container anew in which they stood."""

from __future__ import annotations

import textwrap

import pytest
from test_stores import reasons

CODE = """
import json
from pathlib import Path

JOBS = {}


class Job:
    def __init__(self, key):
        self.key = key
        self.state = "new"
        self.rows = []

    def finish(self):
        self.state = "done"

    def show(self):
        return self.state


class Jobs:
    def __init__(self):
        self.jobs = {}
        self._fill()

    def _fill(self):
        self.jobs = {}

    def again(self):
        REFILLS

    async def every(self):
        self.again()
        return self.jobs

    async def run(self, key):
BODY
"""


def jobs(body: str, refills: str = "self.jobs = dict(fetched())") -> str:
    return CODE.replace("REFILLS", refills).replace("BODY", textwrap.indent(body, " " * 8))


READ = "\ntext = Path(key).read_text()\n"
PUT = "job = Job(key)\nself.jobs[key] = job"
TAKEN = "job = self.jobs[key]"


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (PUT + READ + "job.state = text", "job.state"),
        (TAKEN + READ + "job.state = text", "job.state"),
        ("job = self.jobs.get(key)" + READ + "job.state += text", "job.state"),
        (TAKEN + READ + "job['state'] = text", "job['state']"),
        (PUT + READ + "job.finish()", "job"),
    ],
)
def test_what_is_changed_where_nobody_finds_it_any_more(body: str, changed: str) -> None:
    reason = f"`{changed}` is changed behind it, and `Jobs.again` may have filled `self.jobs` anew by then, where others look for it"
    assert reasons("blocking-file-io", jobs(body)) == [reason]


@pytest.mark.parametrize(
    "body",
    [
        # It waits in between today.
        PUT + "\nawait other()" + READ + "job.state = text",
        PUT + READ + "await other()\njob.state = text",
        # It is not changed, or before it is put there.
        PUT + READ + "return job.show()",
        "job = Job(key)" + READ + "job.state = text\nself.jobs[key] = job",
        # Another one is.
        PUT + READ + "other = Job(key)\nother.state = text",
    ],
)
def test_what_may_be_changed_behind_a_wait(body: str) -> None:
    assert reasons("blocking-file-io", jobs(body)) == [None]


@pytest.mark.parametrize(
    "refills",
    [
        "self.jobs = {}",
        "self.jobs = dict()",
        "self.jobs = {k: v for k, v in self.jobs.items() if v}",
        "self.jobs = self.jobs or {}",
        "self.jobs.pop(1, None)",
    ],
)
def test_a_container_that_is_emptied_or_made_from_the_old_one(refills: str) -> None:
    assert reasons("blocking-file-io", jobs(PUT + READ + "job.state = text", refills)) == [None]


def test_a_global_that_is_filled_anew() -> None:
    code = jobs("job = Job(key)\nJOBS[key] = job" + READ + "job.state = text")
    code += "\n\ndef reload():\n    global JOBS\n    JOBS = json.loads(fetched())\n"
    reason = "`job.state` is changed behind it, and `reload` may have filled `JOBS` anew by then, where others look for it"
    assert reasons("blocking-file-io", code) == [reason]


def test_what_is_filled_as_the_object_is_made() -> None:
    code = jobs(PUT + READ + "job.state = text", "pass")
    assert reasons("blocking-file-io", code) == [None]
    code = code.replace(
        "        self.jobs = {}\n\n    def again", "        self.jobs = fetched()\n\n    def again"
    )
    assert reasons("blocking-file-io", code) == [None]
