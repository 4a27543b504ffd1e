"""The examples of docs/scheduling: a crontab, a systemd timer, an Airflow DAG, a job of JupyterLab's scheduler."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import Request, urlopen

import nbformat
import polars as pl
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from lab import PATIENCE, Lab

import journey_nb as jn
from journey_nb.cli import main, reports
from journey_nb.render.panels import cards
from journey_nb.reports import check_parameters, report_notebooks
from journey_nb.style.said import unopened

EXAMPLES = Path(__file__).parent.parent / "docs/scheduling"


NIGHTLY = EXAMPLES / "nightly.sh"


def command_of(verb: str) -> list[str]:
    """What stands behind journey-nb in the line of a verb, up to where the shell goes on."""
    (line,) = (line for line in NIGHTLY.read_text().splitlines() if f"journey-nb {verb} " in line)
    words = shlex.split(line, comments=True)
    return words[1 : words.index("||")]


def test_the_report_s_command_is_one_that_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(reports, "_report_for_each", lambda *given: asked.append(given))
    done = CliRunner().invoke(main, command_of("report"))
    assert done.exit_code == 0, done.output
    ((report, store, filters, options),) = asked
    assert (report, store, filters) == ("campaign", "store", ("status=running",))
    assert (options["period"], options["only_if_changed"]) == ("30d", True)


def test_the_other_commands_do_what_is_said(
    tmp_path: Path, welcome: jn.Journey, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("feed").mkdir()
    welcome_log[:500].write_parquet("feed/monday.parquet")
    jn.Store("store").add(welcome)
    for verb, told in (("import", "500 rows read"), ("journeys", "1 journey"), ("check", "no faults")):
        done = CliRunner().invoke(main, command_of(verb))
        assert (done.exit_code, told in done.output) == (0, True), done.output


@pytest.mark.parametrize("failing", ["import", "check", "report", "none"])
def test_a_night_goes_on_behind_what_fails_and_tells_it(tmp_path: Path, failing: str) -> None:
    """As cron runs it: by its line, with hardly an environment."""
    program = tmp_path / ".venv/bin/journey-nb"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$1"\n[ "$1" != {failing} ] || exit 3\n')
    program.chmod(0o755)
    shutil.copy(NIGHTLY, tmp_path)
    (job,) = jobs()
    bare = {"PATH": "/usr/bin:/bin", "JOURNEYS": str(tmp_path)}
    mail = subprocess.run(
        ["/bin/sh", "-c", job.split(maxsplit=5)[5]], env=bare, capture_output=True, text=True, check=True
    )
    log = (tmp_path / "nightly.log").read_text()
    assert log == "import\njourneys\ncheck\nreport\n"
    assert mail.stdout == ("" if failing == "none" else log)
    done = subprocess.run([tmp_path / "nightly.sh"], env=bare, capture_output=True, check=False)
    assert done.returncode == (0 if failing == "none" else 3)


def jobs() -> list[str]:
    return [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line and line[0] not in "#SJ"]


def test_a_line_of_the_crontab_has_five_fields_and_a_command() -> None:
    assert [line.split(maxsplit=5)[:5] for line in jobs()] == [["0", "5", "*", "*", "*"]]
    assert not [line for line in jobs() if "%" in line]  # cron takes it for the end of the line


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_has_nothing_against_the_timer(tmp_path: Path) -> None:
    for path in EXAMPLES.glob("journey-nb-report.*"):
        text = path.read_text().replace("/opt/journeys/nightly.sh", str(NIGHTLY))
        (tmp_path / path.name).write_text(text.replace("/opt/journeys", str(tmp_path)))
    units = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr + done.stdout) == (0, "")


def test_the_dag_runs_the_report(
    tmp_path: Path, welcome: jn.Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow itself is not installed: what its operator is given is run as it runs it, with papermill."""
    import papermill

    given: list[dict[str, Any]] = []
    for name in ("airflow", "airflow.providers", "airflow.providers.papermill", "airflow.providers.papermill.operators",
                 "airflow.providers.papermill.operators.papermill"):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["airflow"].DAG = lambda *names, **how: nullcontext()  # type: ignore[attr-defined]
    operators = sys.modules["airflow.providers.papermill.operators.papermill"]
    operators.PapermillOperator = lambda **options: given.append(options)  # type: ignore[attr-defined]
    source = EXAMPLES / "airflow_reports.py"
    exec(compile(source.read_text(), source.name, "exec"), {})
    (task,) = given
    told = {key: value for key, value in task["parameters"].items() if key not in ("store", "journey")}
    assert check_parameters("campaign", told) == told
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    made = papermill.execute_notebook(
        task["input_nb"], str(tmp_path / "run.ipynb"), {**task["parameters"], "store": str(store.path)},
        kernel_name=task["kernel_name"], language=task["language_name"], progress_bar=False, report_mode=True,
    )  # fmt: skip
    nbformat.validate(made)
    assert "Welcome series" in str(made.cells[3].outputs)


def test_the_job_has_parameters_that_the_report_knows() -> None:
    told = json.loads((EXAMPLES / "jupyter_scheduler.json").read_text())
    values = {key: ast.literal_eval(text) for key, text in told["parameters"].items()}
    assert check_parameters("campaign", {key: values[key] for key in ("period", "locale")})
    assert (values["store"], values["journey"]) == ("/opt/journeys/store", "welcome")


def wait(ask: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + 2 * PATIENCE / 1000
    while not fits(now := ask()):
        assert time.monotonic() < until, now
        time.sleep(0.5)
    return now


@pytest.mark.slow
def test_jupyterlab_s_scheduler_runs_the_job(
    tmp_path: Path, welcome_store: jn.Store, welcome_stats: jn.JourneyStats
) -> None:
    """Its definition is told over HTTP, as the menu does, a job is made of it at once, and what that left is read."""
    lab = Lab(tmp_path, scheduler=True)

    def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{lab.url}/scheduler/{path}", data, {"Authorization": "token t"})
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    try:
        shutil.copy(report_notebooks()["campaign"], lab.folder)
        (environment,) = ask("runtime_environments")
        text = (
            (EXAMPLES / "jupyter_scheduler.json")
            .read_text()
            .replace("/opt/journeys/store", str(welcome_store.path))
        )
        told = json.loads(text) | {"runtime_environment_name": environment["name"]}
        definition = ask("job_definitions", told)["job_definition_id"]
        assert ask(f"job_definitions/{definition}")["schedule"] == "0 5 * * *"
        job = ask(f"job_definitions/{definition}/jobs", {"parameters": told["parameters"]})["job_id"]
        done = wait(lambda: ask(f"jobs/{job}"), lambda now: now["status"] in ("COMPLETED", "FAILED"))
        assert done["status"] == "COMPLETED", done["status_message"]
        ask(f"jobs/{job}/download_files")  # goes on by itself, the input last
        left = wait(lambda: ask(f"jobs/{job}"), lambda now: now["downloaded"])["job_files"]
        made = {row["file_format"]: row["file_path"] for row in left}
    finally:
        lab.close()
    ran = nbformat.read(lab.folder / made["ipynb"], as_version=4)
    texts = [output.data["text/plain"] for cell in ran.cells for output in cell.get("outputs", ())]
    stats = welcome_stats.period("30d")
    health = cards(stats.compare().health(), note=unopened(stats, "fr"), locale="fr")
    assert repr(health) in texts
    page = (lab.folder / made["html"]).read_text(encoding="utf-8")
    said, meant = (
        [(card["data-key"], card.text) for card in BeautifulSoup(html, "html.parser").select("[data-key]")]
        for html in (page, str(health))
    )
    assert said[: len(meant)] == meant
