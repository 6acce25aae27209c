"""What libraries keep for each thread, or for the whole process: no thread goes on with it, and none comes between."""

from __future__ import annotations

import pytest
from fixing import findings, offered, refusal
from one_module import fixed, refusals

RULE = "blocking-http-call"
RUN = "works in the active run of MLflow, and each thread has its own"


def app(imports: str, *lines: str, call: str = "work(url)", decorator: str = "") -> dict[str, str]:
    """A helper that asks for a page and does some more, and a coroutine that calls it."""
    body = "".join(f"    {line}\n" for line in lines)
    text = (
        f"import requests\n{imports}\n\n\n"
        f"{decorator}def work(url):\n    page = requests.get(url)\n{body}    return page.text\n\n\n"
        f"async def run(url):\n    {call}\n"
    )
    return {"app.py": text}


MLFLOW = "import mlflow"


@pytest.mark.parametrize(
    "line",
    ["mlflow.log_metrics({'size': 1})", "mlflow.set_tags({'a': 'b'})", "mlflow.log_param('a', 1)",
     "mlflow.log_figure(page, 'a.png')", "mlflow.sklearn.log_model(page, 'a')", "mlflow.end_run()",
     "run = mlflow.active_run()", "run = mlflow.start_run()", "mlflow.log_metric('a', 1, run_id=None)"],
)  # fmt: skip
def test_the_active_run_of_mlflow_stays_in_its_thread(line: str) -> None:
    assert refusal(app(MLFLOW, line), RULE) == f"`work` {RUN}"


@pytest.mark.parametrize(
    "lines",
    [
        ("mlflow.log_metrics({'size': 1}, run_id=url)",),
        ("mlflow.set_experiment('a')",),
        ("client = mlflow.MlflowClient()", "client.log_metric(url, 'a', 1)"),
        ("with mlflow.start_run():", "    mlflow.log_metrics({'size': 1})"),
        ("with mlflow.start_run() as run:", "    if page.ok:", "        note(page)"),
        ("mlflow.start_run()", "mlflow.log_metrics({'size': 1})", "mlflow.end_run()"),
    ],
)
def test_a_run_of_mlflow_that_is_named_or_begun_there(lines: tuple[str, ...]) -> None:
    note = f"{MLFLOW}\n\n\ndef note(page):\n    mlflow.log_metric('size', 1)"
    assert offered(app(note, *lines), RULE)


@pytest.mark.parametrize(
    "lines",
    [
        ("with mlflow.start_run():", "    pass", "mlflow.log_metrics({'size': 1})"),
        ("with mlflow.start_run(nested=True):", "    mlflow.log_metrics({'size': 1})"),
        ("mlflow.start_run()", "mlflow.log_metrics({'size': 1})"),
        ("note(page)", "with mlflow.start_run():", "    note(page)"),
    ],
)
def test_a_run_of_mlflow_that_is_not(lines: tuple[str, ...]) -> None:
    note = f"{MLFLOW}\n\n\ndef note(page):\n    mlflow.log_metric('size', 1)"
    assert RUN in refusal(app(note, *lines), RULE)


def test_mlflow_in_the_coroutine_itself() -> None:
    code = """
    import mlflow


    async def run(values):
        with mlflow.start_run(run_name="a"):
            mlflow.log_metrics(values)
        mlflow.log_metrics(values, run_id="b")
    """
    entered, logged, named = findings({"app.py": code}, RULE)
    assert logged.refusal == f"`run` {RUN}"
    assert not entered.fixes
    assert named.fixes


def test_a_route_that_begins_its_own_run_runs_in_a_thread() -> None:
    code = """
    import mlflow
    from fastapi import FastAPI

    app = FastAPI()


    @app.post("/values")
    async def whole(values: dict):
        with mlflow.start_run():
            mlflow.log_metrics(values)


    @app.post("/more")
    async def part(values: dict):
        mlflow.log_metrics(values)
    """
    found = findings({"app.py": code}, RULE)
    assert [bool(one.fixes) for one in found] == [True, True, False]


@pytest.mark.parametrize(
    ("imports", "line", "reason"),
    [
        ("import dspy", "dspy.configure(lm=page)", "configures DSPy, which one thread may do"),
        ("from dspy import settings", "settings.configure(lm=page)", "configures DSPy, which one thread may do"),
        ("import streamlit as st", "st.write(page.text)", "works on the page of Streamlit that its thread shows"),
        ("import streamlit as st", "print(st.session_state.name)", "works on the page of Streamlit that its thread shows"),
        ("import newrelic.agent", "newrelic.agent.notice_error()", "tells New Relic of the transaction of its thread"),
        ("import matplotlib.pyplot as plt", "plt.plot([1])", "draws with `pyplot`, which is for one thread at a time"),
        ("from matplotlib import pyplot", "figure, axes = pyplot.subplots()", "draws with `pyplot`, which is for one thread at a time"),
        ("import fitz", "fitz.open(page.text)", "uses PyMuPDF, which is not made for several threads"),
        ("import pymupdf", "pages = list(pymupdf.open(page.text))", "uses PyMuPDF, which is not made for several threads"),
        ("import socket", "socket.socket(socket.AF_INET, socket.SOCK_RAW)", "may open a raw socket, which gets what is sent to others, too"),
        ("import tkinter", "window = tkinter.Tk()", "works on windows, which belong to one thread"),
        ("from PyQt5.QtWidgets import QLabel", "label = QLabel(page.text)", "works on windows, which belong to one thread"),
        ("import AppKit", "AppKit.NSBundle.mainBundle()", "works with macOS's own classes, of which many belong to the main thread"),
        ("from Foundation import NSAppleScript", "NSAppleScript.alloc()", "works with macOS's own classes, of which many belong to the main thread"),
        ("import win32com.client", "win32com.client.Dispatch('SAPI.SpVoice')", "uses COM, which has to be set up in each thread"),
    ],
)  # fmt: skip
def test_what_belongs_to_the_thread_that_began_it(imports: str, line: str, reason: str) -> None:
    assert refusal(app(imports, line), RULE) == f"`work` {reason}"


@pytest.mark.parametrize(
    ("imports", "lines"),
    [
        ("import dspy", ("with dspy.context(lm=page):", "    print(page)")),
        ("import streamlit as st", ("print(st.secrets['key'])",)),
        ("import newrelic.agent", ("newrelic.agent.register_application()",)),
        ("import win32com.client, pythoncom", ("pythoncom.CoInitialize()", "win32com.client.Dispatch('a')")),
        ("from matplotlib.figure import Figure", ("Figure().savefig('a.png')",)),
        ("import matplotlib.pyplot as plt\nimport threading\nlock = threading.Lock()", ("with lock:", "    plt.plot([1])")),
    ],
)  # fmt: skip
def test_what_does_not(imports: str, lines: tuple[str, ...]) -> None:
    assert offered(app(imports, *lines), RULE)


def test_what_a_decorator_of_streamlit_keeps() -> None:
    assert offered(app("import streamlit as st", "print(page)"), RULE)


@pytest.mark.parametrize(
    ("imports", "item"),
    [
        ("import torch", "torch.autocast('cuda')"),
        ("import torch", "torch.set_grad_enabled(False)"),
        ("import torch", "torch.device('cuda')"),
        ("import torch", "torch.cuda.device(0)"),
        ("import tensorflow as tf", "tf.device('/gpu:0')"),
        ("import tensorflow as tf", "tf.GradientTape() as tape"),
        ("from graphs import graph", "graph.as_default()"),
        ("from pony.orm import db_session", "db_session"),
        ("import pandas as pd", "pd.option_context('display.width', 9)"),
        ("import matplotlib as mpl", "mpl.rc_context()"),
    ],
)
def test_what_a_block_sets_for_its_thread_or_for_all(imports: str, item: str) -> None:
    code = f"import requests\n{imports}\n\n\nasync def run(url):\n    with {item}:\n        requests.get(url)\n"
    entered = item.partition(" as ")[0]
    reason = f"`{entered}` would be held while other tasks run"
    assert refusal({"app.py": code}, RULE) == reason


@pytest.mark.parametrize(
    ("imports", "item"),
    [("import warnings", "warnings.catch_warnings()"), ("import pandas as pd", "pd.option_context('display.width', 9)")],
)  # fmt: skip
def test_what_a_helper_sets_for_all_for_a_time(imports: str, item: str) -> None:
    files = app(imports, f"with {item}:", "    print(page)")
    reason = "`work` changes for a time what the whole process sees"
    assert refusal(files, RULE) == reason


def test_an_alarm_rings_in_the_main_thread() -> None:
    files = app("import signal", "signal.alarm(5)")
    reason = "`work` needs the main thread for `signal.alarm`"
    assert refusal(files, RULE) == reason


# -- what is set for the whole process, and used in the same step ----------------------------------------

SETTING = "which is for the whole process, and others would come between"


@pytest.mark.parametrize(
    ("imports", "lines", "what"),
    [
        ("import google.generativeai as genai", "genai.configure(api_key=url)", "genai.configure"),
        ("import boto3", "boto3.setup_default_session(profile_name=url)", "boto3.setup_default_session"),
        ("import cloudinary", "cloudinary.config(api_key=url)", "cloudinary.config"),
        ("import stripe", "stripe.api_key = url", "stripe.api_key"),
        ("import openai", "openai.api_key = url.key", "openai.api_key"),
        ("import openai", "key = find(url)\n    openai.api_key = key", "openai.api_key"),
        ("import random", "random.seed(7)", "random.seed"),
        ("import numpy as np", "np.random.seed(7)", "np.random.seed"),
        ("import torch", "torch.manual_seed(7)", "torch.manual_seed"),
    ],
)  # fmt: skip
def test_what_is_set_for_the_whole_process(imports: str, lines: str, what: str) -> None:
    files = app(imports, lines)
    reason = f"`work` sets `{what}`, {SETTING}"
    assert refusal(files, RULE) == reason
    code = (
        f"import requests\n{imports}\n\n\nasync def run(url):\n    {lines}\n    requests.get(url)\n"
    )
    assert refusal({"app.py": code}, RULE) == reason.replace("`work`", "`run`")


HELPED = """
import openai
import requests


class Model:
    def __init__(self, key):
        self.key = {key}
        openai.api_key = {key}

    def ask(self):
        return openai.ChatCompletion.create(model="gpt-4", messages=[])

    def load(self):
        return requests.get("http://a")


async def run(key):
    {lines}
"""


@pytest.mark.parametrize(
    ("key", "lines", "sets"),
    [
        ("key", "Model(key).ask()", True),
        ("key", "model = Model(key)\n    model.ask()", True),
        ("key", "model = Model(key)\n    print(model)\n    openai.Model.list()", True),
        ("key", "Model(key).load()", False),
        ("key", "model = Model(key)\n    print(model)\n    requests.get(key)", False),
        ("'a'", "model = Model(key)\n    model.ask()", False),
        ("key", "requests.get(key)\n    Model(key)", False),
    ],
)
def test_what_a_helper_has_set_for_the_whole_process(key: str, lines: str, sets: bool) -> None:
    files = {"app.py": HELPED.format(key=key, lines=lines)}
    rule = RULE if "requests" in lines or "load" in lines else "blocking-sdk-call"
    if sets:
        assert refusal(files, rule) == f"`Model.__init__` sets `openai.api_key`, {SETTING}"
    else:
        assert offered(files, rule)


@pytest.mark.parametrize(
    ("imports", "line"),
    [
        ("import os, stripe", "stripe.api_key = os.environ['KEY']"),
        ("import google.generativeai as genai\nKEY = 'a'", "genai.configure(api_key=KEY)"),
        ("import stripe", "client = stripe.StripeClient(url); client.api_key = url"),
        ("import random", "random.Random(7).random()"),
    ],
)
def test_what_is_the_same_for_all(imports: str, line: str) -> None:
    assert offered(app(imports, line), RULE)


@pytest.mark.parametrize(
    ("called", "unknown"),
    [
        ("tools[name]()", True),
        ("self.tools[name]()", True),
        ("tool = tools[name]\n        tool()", True),
        ("self.own[name]()", False),
        ("print(tools[name])", False),
    ],
)
def test_functions_out_of_a_table_may_count_on_the_thread(called: str, unknown: bool) -> None:
    """Tools that users write: nothing is known of them."""
    code = f"""
import time


def one():
    return 1


class Agent:
    def __init__(self, tools):
        self.tools = tools
        self.own = {{"one": one}}

    def run(self, tools, name):
        time.sleep(1)
        {called}

    async def step(self, tools, name):
        self.run(tools, name)
"""
    if unknown:
        [reason] = refusals("blocking-sleep", code)
        assert "calls what it finds in" in reason
    else:
        assert "await asyncio.to_thread(self.run, tools, name)" in fixed("blocking-sleep", code)


MADE = """
import functools
from dataclasses import dataclass, field

import requests

COUNTS = {{}}


def load():
    COUNTS["loaded"] = COUNTS.get("loaded", 0) + 1
    return requests.get("http://a").text


class Made:
    def __init__(self):
        self.text = load()


@dataclass
class Filled:
    text: str = field(default_factory=load)


class Called:
    def __call__(self):
        return load()


called = Called()
part = functools.partial(load)


async def run():
    return {code}
"""


@pytest.mark.parametrize("code", ["load()", "Made()", "Filled()", "called()", "part()"])
def test_what_is_changed_for_all_is_changed_however_it_is_called(code: str) -> None:
    reason = "`load` changes `COUNTS[…]`, which others may read or change meanwhile"
    assert refusal({"app.py": MADE.format(code=code)}, RULE) == reason


UNKNOWN = """
import asyncio

import requests


class Transport:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.known = {{}}
        self.loop = asyncio.get_running_loop()

    def put(self, token):
        self.queue.put_nowait(token)

    def note(self, token):
        self.known[token] = token

    def get(self):
        return self.queue.get_nowait()


class Refused(Exception):
    def __init__(self, text):
        super().__init__(text)


def work(calls, url):
    text = requests.get(url).text
    if not text:
        raise Refused(url)
    for call in calls:
        call.{method}(text)


async def run(calls, url):
    work(calls, url)
"""


@pytest.mark.parametrize(("method", "bound"), [("put", True), ("note", False), ("get", False)])
def test_an_unknown_object_may_be_of_a_class_that_works_with_the_event_loop(
    method: str, bound: bool
) -> None:
    files = {"app.py": UNKNOWN.format(method=method)}
    if bound:
        reason = "`work` calls `call.put`, which may be `Transport.put`, for the event loop's thread only"
        assert refusal(files, RULE) == reason
    else:
        assert offered(files, RULE)
