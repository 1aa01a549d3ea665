"""The starter: what it decides before anything is installed or started."""
from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools import start

ROOT = Path(__file__).parents[1]


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("one==1\ntwo==2\n", encoding="utf-8")
    return path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A folder that looks like an environment."""
    python = start.python_in(tmp_path / "venv")
    python.parent.mkdir(parents=True)
    python.touch()
    return tmp_path / "venv"


def _program(path: Path, code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# ---- Python and the libraries

@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 2), (4, 0, 0)])
def test_a_new_enough_python_passes(version: tuple[int, int, int]) -> None:
    start.check_python(version)


def test_an_old_python_is_told_which_one_to_get() -> None:
    with pytest.raises(start.StartProblem, match=r"Python 3\.11 or newer; this is 3\.9\.6"):
        start.check_python((3, 9, 6))


def test_the_starter_can_be_read_by_an_old_python() -> None:
    """Otherwise an old one shows a syntax error instead of the sentence that names what is missing."""
    import ast
    ast.parse((ROOT / "tools" / "start.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_starter_needs_nothing_but_python() -> None:
    code = "import sys; sys.path.insert(0, 'tools'); import start; print(start.main([]))"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "usage: python tools/start.py app" in result.stdout and result.stdout.strip().endswith("2")


def test_line_endings_do_not_change_the_stamp(requirements: Path) -> None:
    before = start.stamp_of(requirements)
    requirements.write_bytes(b"one==1\r\ntwo==2\r\n")
    assert start.stamp_of(requirements) == before


def test_installed_is_what_the_stamp_says(venv: Path, requirements: Path) -> None:
    assert not start.is_installed(venv, requirements)
    start.stamp_file(venv, requirements).write_text(start.stamp_of(requirements), encoding="utf-8")
    assert start.is_installed(venv, requirements)
    requirements.write_text("one==1\ntwo==3\n", encoding="utf-8")
    assert not start.is_installed(venv, requirements)


def test_a_stamp_without_its_python_counts_for_nothing(venv: Path, requirements: Path) -> None:
    start.stamp_file(venv, requirements).write_text(start.stamp_of(requirements), encoding="utf-8")
    start.python_in(venv).unlink()
    assert not start.is_installed(venv, requirements)


def test_a_second_start_installs_nothing(venv: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start.stamp_file(venv, requirements).write_text(start.stamp_of(requirements), encoding="utf-8")
    monkeypatch.setattr(start.subprocess, "run", _never)
    monkeypatch.setattr(start.subprocess, "Popen", _never)
    start.install(venv, requirements)


def _never(*args: object, **kwargs: object) -> None:
    raise AssertionError(f"started {args}")


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the environment's Python")
@pytest.mark.parametrize("said, advice", [
    ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "no connection"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
])
def test_a_failed_installation_leaves_no_stamp_and_says_why(venv: Path, requirements: Path, said: str, advice: str) -> None:
    python = start.python_in(venv)
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "{said}" >&2\nexit 1\n', encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(start.StartProblem, match=advice):
        start.install(venv, requirements)
    assert not start.stamp_file(venv, requirements).exists()


@pytest.mark.parametrize("said, advice", [
    ("WARNING: Retrying ... NewConnectionError\nERROR: No matching distribution found for filelock==4.2.11", "no connection"),
    ("ERROR: Could not find a version that satisfies the requirement torch==2.15.0 (from versions: 2.9.0, 2.10.0)", "no version for this"),
    ("ERROR: Could not find a version that satisfies the requirement filelock==4.2.11 (from versions: none)", "or none of its versions"),
    ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))\nMax retries exceeded", "certificate"),
    ("something else", "the last lines above say why"),
])
def test_what_pip_reports_becomes_advice(said: str, advice: str) -> None:
    assert advice in start.explain_pip(said)


# ---- the app

def _listening() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_a_port_somebody_listens_on_is_passed_over() -> None:
    with _listening() as server:
        port = server.getsockname()[1]
        assert not start.port_is_free(port)
        assert start.choose_port(port, port + 50) > port
    assert start.choose_port(port, port) == port


def test_no_free_port_is_said() -> None:
    with _listening() as server:
        port = server.getsockname()[1]
        with pytest.raises(start.StartProblem, match="in use"):
            start.choose_port(port, port)


@pytest.mark.parametrize("words, port", [
    ([], None),
    (["--server.port", "9000"], 9000),
    (["--theme.base", "dark", "--server.port=9001"], 9001),
    (["--server.port"], None),
])
def test_a_port_that_was_asked_for_is_kept(words: list[str], port: int | None) -> None:
    assert start.port_asked(words) == port


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_stcore/health" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


def test_a_server_answers_once_it_is_healthy_whatever_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = HTTPServer(("127.0.0.1", 0), _Healthy)
    url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    assert start.answers(url)
    server.shutdown()
    server.server_close()
    assert not start.answers(url)


def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "STOP_GRACE_S", 0.2)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    start.stop(process)
    assert process.poll() is not None
    process.stdout.close()


# ---- the tests' browser

@pytest.fixture
def no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser; the folder is its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CHROME", raising=False)
    for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(start, "MAC_BROWSERS", ())
    return folder


def test_a_machine_without_a_browser_has_none(no_browser: Path) -> None:
    assert start.find_browser() is None


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand for the programs")
def test_the_browser_named_by_the_user_comes_first(no_browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path, named = _program(no_browser / "google-chrome"), _program(tmp_path / "mine")
    assert start.find_browser() == str(on_path)
    monkeypatch.setenv("CHROME", str(named))
    assert start.browser_candidates() == [str(named), str(on_path)]
    assert start.find_browser() == str(named)


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand for the programs")
def test_a_browser_that_does_not_start_is_passed_over(no_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(no_browser / "chromium-browser", code=1)
    works = _program(no_browser / "msedge")
    monkeypatch.setenv("CHROME", str(no_browser / "gone"))
    assert start.find_browser() == str(works)


# ---- the calls of pytest

def test_tests_run_side_by_side_and_those_in_a_browser_after_them_two_files_at_a_time() -> None:
    beside, browser = start.pytest_calls([], workers=3)
    assert beside[:2] == ["-n", "3"] and "--ignore=tests/browser" in beside
    assert browser == ["-n", "2", "--dist", "loadfile", "tests/browser"] and (ROOT / "tests" / "browser").is_dir()
    assert start.pytest_calls([], workers=1)[1][:2] == ["-n", "1"]


def test_words_of_the_users_are_one_plain_call() -> None:
    assert start.pytest_calls(["tests/test_start.py", "-k", "port"], workers=3) == [["tests/test_start.py", "-k", "port"]]


@pytest.mark.parametrize("codes, code", [
    ([0, 0], 0), ([1, 0], 1), ([0, 1], 1), ([1, 1], 1),
    ([5, 0], 0), ([0, 5], 0), ([5, 1], 1), ([5, 5], 5), ([5], 5),
])
def test_a_failure_in_any_call_is_one_of_the_whole(codes: list[int], code: int) -> None:
    ended = iter(codes)
    assert start.in_turn([["call"]] * len(codes), lambda call: next(ended)) == code
    assert not list(ended), "every call is made, failures or not"


@pytest.mark.parametrize("code", [2, 3, 4, -9])
def test_nothing_follows_a_call_that_was_interrupted(code: int) -> None:
    assert start.in_turn([["first"], ["second"]], lambda call: code if call == ["first"] else pytest.fail("went on")) == code


def test_failures_further_up_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    start.in_turn([["first"], ["second"]], lambda call: 1 if call == ["first"] else 0)
    assert "further up" in capsys.readouterr().out


@pytest.mark.slow
def test_a_call_really_runs_side_by_side(tmp_path: Path) -> None:
    """The installed plugin understands our words, and each process has a workspace of its own."""
    names = "GRAFT_HOME", "TORCH_HOME", "HF_HOME"
    test = ("import os, time, pytest\n@pytest.mark.parametrize('n', range(4))\n"
            f"def test_it(n):\n    open({str(tmp_path)!r} + f'/{{n}}', 'w').write(' '.join(os.environ[k] for k in {names!r}))\n")
    (tmp_path / "test_it.py").write_text(test, encoding="utf-8")
    beside = start.pytest_calls([], workers=2)[0]
    run = subprocess.run([sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), *beside, str(tmp_path)],
                         cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    homes = {(tmp_path / str(n)).read_text(encoding="utf-8") for n in range(4)}
    assert len(homes) == 2 and len({home for line in homes for home in line.split()}) == 6
