"""The package as it is installed: what it loads, what it carries, what it asks of the world."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mutate import FAULTS

import journey_nb

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh Python holds after a statement."""
    code = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    heavy = {
        "polars",
        "numpy",
        "scipy",
        "altair",
        "vl_convert",
        "ipywidgets",
        "anywidget",
        "IPython",
        "papermill",
        "pandas",
    }
    assert not loaded_by("import journey_nb") & heavy


def test_the_core_needs_no_jupyter_and_no_pictures() -> None:
    above = {
        "altair",
        "vl_convert",
        "IPython",
        "ipykernel",
        "ipywidgets",
        "anywidget",
        "papermill",
        "nbconvert",
        "rich",
        "pandas",
        "scipy",
        "numpy",
    }
    assert not loaded_by("import journey_nb.stats, journey_nb.discover") & above


def test_charts_and_reports_build_no_grammars_and_iris_are_checked_all_the_same() -> None:
    check = "import jsonschema; told = [jsonschema.FormatChecker().conforms(text, 'iri') for text in ('x:é', 'no iri')]"
    for statement in (
        "import journey_nb.charts",
        "from journey_nb.reports import parameters; parameters('path')",
    ):
        assert not loaded_by(statement) & {"lark", "rfc3987_syntax"}
    assert {"lark", "rfc3987_syntax"} <= loaded_by(
        f"import journey_nb.charts; {check}; assert told == [True, False]"
    )


def test_help_starts_quickly_without_the_engine() -> None:
    done = loaded_by("from journey_nb.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass")
    assert not done & {"polars", "altair", "papermill", "numpy"}


def test_every_public_name_is_there_and_documented() -> None:
    for name in journey_nb.__all__:
        assert getattr(journey_nb, name).__doc__, name
    assert set(journey_nb.__all__) <= set(dir(journey_nb))
    assert set(journey_nb.__all__) == set(journey_nb._HOMES)


def test_an_unknown_name_tells_the_near_one() -> None:
    with pytest.raises(AttributeError, match="did you mean 'Journey'"):
        _ = journey_nb.Jorney


def test_versions_agree() -> None:
    extension = json.loads((ROOT / "widget_js/labextension/package.json").read_text(encoding="utf-8"))
    assert PYPROJECT["project"]["version"] == journey_nb.__version__ == extension["version"]


def test_every_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in PYPROJECT["project"]["dependencies"]:
        assert re.search(rf'"{re.escape(name)}",\s*# \w.{{10,}}\(.+\)', text), (
            f"{name}: add what for, and its licence"
        )


def test_the_wheel_carries_what_it_needs_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "journey_nb/py.typed",
        "journey_nb/samples/welcome.journey.json",
        "journey_nb/samples/abandoned_cart.journey.json",
        "journey_nb/samples/win_back.journey.json",
        *(f"journey_nb/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*_report.ipynb")),
    ):
        assert needed in names
    source = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "journey_nb").rglob("*") if path.is_file()
    }
    assert {name for name in source if "__pycache__" not in name} <= names
    shared = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert shared == {
        "share/jupyter/labextensions/journey-nb/package.json",
        "share/jupyter/labextensions/journey-nb/static/remoteEntry.js",
        "etc/jupyter/jupyter_server_config.d/journey_nb.json",
    }
    stray = {name for name in names if not name.startswith(("journey_nb/", "journey_nb-"))}
    assert not stray
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_an_editable_install_has_the_extension_of_jupyterlab_too(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sum("/share/jupyter/labextensions/journey-nb/" in name for name in names) == 2
    assert any(name.endswith("/etc/jupyter/jupyter_server_config.d/journey_nb.json") for name in names)


def test_the_installed_package_finds_its_report(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from journey_nb import reports; print(reports.__file__, *reports.report_notebooks().values())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    module, *notebooks = map(Path, done.stdout.split())
    assert module.is_relative_to(tmp_path.resolve())
    assert len(notebooks) == 5
    assert notebooks[0] == tmp_path.resolve() / "journey_nb/notebooks/campaign_report.ipynb"


def test_the_source_distribution_can_be_built_from_and_tested(wheel: Path) -> None:
    import tarfile

    sdist = next(wheel.parent.glob("*.tar.gz"))
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        "notebooks/campaign_report.ipynb",
        "tests/test_package.py",
        "Makefile",
        ".ci/run",
        "LICENSE",
        "README.md",
    ):
        assert needed in names


def test_nothing_shipped_names_a_host() -> None:
    """No CDN, no font, no telemetry: the only addresses are names of formats."""
    formats = ("http://www.w3.org/", "https://vega.github.io/schema/", "https://json-schema.org/")
    shipped = [*(ROOT / "journey_nb").rglob("*"), *(ROOT / "notebooks").glob("*.ipynb"),
               *(ROOT / "widget_js/labextension").rglob("*")]  # fmt: skip
    for path in shipped:
        if path.suffix in {".py", ".json", ".html", ".css", ".js", ".j2", ".svg", ".ipynb"}:
            for address in re.findall(r"https?://[^\s\"'<>)`\\]+", path.read_text(encoding="utf-8")):
                # A domain that cannot exist is used in samples.
                nowhere = (urlsplit(address).hostname or "").endswith(".example")
                assert address.startswith(formats) or nowhere, f"{path.name}: {address}"


def test_the_readme_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, welcome_log, welcome) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events").mkdir()
    welcome_log.write_parquet("events/march.parquet")
    welcome.write("welcome.journey.json")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    visits = (
        "customer,page,at\n1,home,2026-03-01T10:00Z\n1,cart,2026-03-01T10:05Z\n2,home,2026-03-01T11:00Z\n"
    )
    Path("visits.csv").write_text(visits, encoding="utf-8")
    names: dict[str, object] = {"todays_events": welcome_log[:10]}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert journey_nb.Store("store")["welcome"].facts.read == welcome_log.height + 10
    assert Path("canvas.svg").exists()
    assert Path("visits.html").exists()
    assert list(Path("reports").glob("*/*.html"))


def test_the_set_up_shadows_no_command_that_it_looks_for() -> None:
    """A shell function called like a browser would call itself without end."""
    script = (ROOT / ".ci/setup").read_text(encoding="utf-8")
    functions = set(re.findall(r"^(\w+)\(\)", script, re.MULTILINE))
    looked_for = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"for name in (.*); do", script))))
    assert {"find_python", "find_browser", "set_up_venv", "set_up_chromium"} <= functions
    assert not functions & {*looked_for, "apt-get", "install", "python", "sudo"}


def test_the_browser_is_the_one_that_the_set_up_finds(tmp_path: Path) -> None:
    """Ubuntu's empty shell of a browser does not start, and so is not the one."""
    for name, code in (("chromium", 1), ("chrome", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("chromium-headless-shell", "chromium-browser", "google-chrome-stable", "google-chrome"):
        (tmp_path / name).symlink_to(tmp_path / "chromium")
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CHROMIUM": "/no where/x"}
    found = subprocess.run(
        [ROOT / ".ci/setup", "browser"], env=env, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(tmp_path / "chrome")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert makefile.count('CHROMIUM="$$(.ci/setup browser)"') == makefile.count(".ci/setup chromium") == 4


def test_make_lists_what_it_can_do() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"\.PHONY: (.*)", makefile)[1].split())
    listed = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    assert targets == listed
    assert {"demo", "test", "test-long", "lint", "format", "bench", "bench-100m", "mutate", "lab"} <= targets
    for script in re.findall(r"\$\(BIN\)/python (\S+\.py)", makefile):
        assert (ROOT / script).exists(), script


def test_every_fault_that_make_mutate_seeds_still_has_its_place() -> None:
    """One whose source is gone, or stands twice, checks nothing any more."""
    source = ROOT / "journey_nb"
    found = {(name, old): (source / name).read_text("utf-8").count(old) for name, old, _ in FAULTS}
    assert {fault: count for fault, count in found.items() if count != 1} == {}
