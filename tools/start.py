"""Graft's commands, with nothing but Python itself: `python tools/start.py app`, `python tools/start.py test` and `… bench`.

They make `.venv` beside this folder and install the pinned requirements when that has not been done yet. Words after the
command go on to Streamlit, to pytest or to the benchmark. This file keeps to syntax that old Pythons can read, so that they can
say what is missing.
"""
from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_BENCH = ROOT / ".venv-bench"  # of those that Graft is measured beside
NEEDED = (3, 11)
FIRST_PORT = 8501
START_TIMEOUT_S = 120
STOP_GRACE_S = 10
MOST_TEST_WORKERS = 4  # each loads PyTorch, and some tests start trainings of their own
BROWSERS = 2  # at once
TEST_FAILURES, NO_TESTS = 1, 5  # exit codes of pytest; any other says that it could not go on

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
WINDOWS_BROWSERS = (r"Google\Chrome\Application\chrome.exe", r"Chromium\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
MAC_BROWSERS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium",
                "Microsoft Edge.app/Contents/MacOS/Microsoft Edge")

INSTALLING = {
    "requirements.txt": "Installing the libraries. This happens once and takes some minutes: PyTorch is a large download ...",
    "requirements-test.txt": "Installing what the tests need ...",
    "requirements-bench.txt": "Installing what Graft is measured beside ...",
}
PIP_FAILURES = (
    (("No space left", "Errno 28", "not enough space"),
     "The disk is full. Graft's libraries need about 7 GB on Linux and 2 GB elsewhere. Free some space and start again."),
    (("CERTIFICATE_VERIFY_FAILED", "SSLError"),
     "The Python package index could not be reached safely: its certificate was refused.\n"
     "A company proxy often causes this. Ask for its certificate and set PIP_CERT to that file."),
    (("Name or service not known", "name resolution", "getaddrinfo failed", "nodename nor servname", "NewConnectionError", "Max retries",
      "ConnectTimeout", "Read timed out", "ReadTimeoutError", "ProxyError", "Connection refused", "Network is unreachable"),
     "The libraries could not be downloaded: there is no connection to the Python package index.\n"
     "Graft needs the network once, for its first start. Check the connection (or the proxy) and start again."),
    (("from versions: none",),
     "A library could not be found: there is no connection to the Python package index, or none of its versions fits this system.\n"
     "Graft needs the network for its first start, and a 64-bit Python from 3.11 to 3.14 on 64-bit Linux, Windows 10+ or macOS 14+."),
    (("No matching distribution", "Could not find a version"),
     "A library has no version for this system. Use a 64-bit Python from 3.11 to 3.14 on 64-bit Linux, Windows 10+ or macOS 14+."),
)


class StartProblem(Exception):
    """Something the reader has to do first; its text is all they are shown."""


def say(sentence: str) -> None:
    print(sentence, flush=True)


def result_of(process: subprocess.Popen) -> int:
    """Its exit code. Ctrl-C reaches it from the terminal as well, and it is given the time to clean up behind itself."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


# ---- Python and the libraries

def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def newer_python() -> str | None:
    """Another Python on this machine that is new enough and starts, newest first."""
    found = filter(None, (shutil.which("python3.%d" % minor) for minor in range(14, NEEDED[1] - 1, -1)))
    return next((path for path in found if subprocess.run([path, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0), None)


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    if tuple(version[:2]) < NEEDED:
        raise StartProblem(f"Graft needs Python {NEEDED[0]}.{NEEDED[1]} or newer; this is {'.'.join(map(str, version))}.\n"
                           "Get it from https://www.python.org/downloads/ and start again with it.")


def stamp_of(requirements: Path) -> str:
    """What is written into the environment once these requirements are installed: a hash that line endings do not change."""
    return hashlib.sha256(b"\n".join(requirements.read_bytes().splitlines())).hexdigest()


def stamp_file(venv: Path, requirements: Path) -> Path:
    return venv / f"{requirements.stem}.stamp"


def is_installed(venv: Path, requirements: Path) -> bool:
    stamp = stamp_file(venv, requirements)
    return python_in(venv).exists() and stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == stamp_of(requirements)


def make_venv(venv: Path) -> None:
    """Create the environment, or create it again when it is unfinished or its Python has gone. Raises `StartProblem`."""
    python = python_in(venv)
    if python.exists() and subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0:
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise StartProblem("This Python comes without its `venv` module.\n"
                           f"On Debian and Ubuntu: sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv\n"
                           "Elsewhere: use the Python from https://www.python.org/downloads/. Then start again.")
    say(f"Making an environment of its own in {venv.name} ...")
    result = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True)
    if result.returncode:
        raise StartProblem(f"The environment could not be made in {venv}.\n{(result.stderr or result.stdout).strip()}")


def explain_pip(stderr: str) -> str:
    """A sentence of plain advice for what pip reported."""
    for signs, advice in PIP_FAILURES:
        if any(sign in stderr for sign in signs):
            return advice
    return "The libraries could not be installed; the last lines above say why. Starting again goes on where it ended."


def install(venv: Path, requirements: Path) -> None:
    """Install `requirements` into `venv` unless its stamp says that this was done. Raises `StartProblem`."""
    if is_installed(venv, requirements):
        return
    make_venv(venv)
    say(INSTALLING[requirements.name])
    command = [str(python_in(venv)), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)]
    if not sys.stdout.isatty():
        command.append("--quiet")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace")
    lines = []
    for line in process.stderr:
        lines.append(line)
        sys.stderr.write(line)
    if process.wait():
        raise StartProblem(explain_pip("".join(lines)))
    stamp_file(venv, requirements).write_text(stamp_of(requirements), encoding="utf-8")


# ---- the app

def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:  # macOS lets us bind beside a server that listens on every address
            return False
    with socket.socket() as probe:
        if os.name != "nt":  # there the option would allow a second server on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(first: int = FIRST_PORT, last: int = FIRST_PORT + 98) -> int:
    """`first`, or the next port that nobody listens on."""
    for port in range(first, last + 1):
        if port_is_free(port):
            return port
    raise StartProblem(f"Every port from {first} to {last} is in use. Stop one of the programs, or add --server.port NUMBER.")


def port_asked(words: list[str]) -> int | None:
    """The port in words meant for Streamlit: `--server.port 9000` or `--server.port=9000`."""
    for word, following in zip(words, [*words[1:], ""]):
        if word == "--server.port" and following.isdigit():
            return int(following)
        if word.startswith("--server.port=") and word.partition("=")[2].isdigit():
            return int(word.partition("=")[2])
    return None


def answers(url: str) -> bool:
    """Whether a server says it is healthy; proxies are left out of it."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/_stcore/health", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def announce(server: subprocess.Popen, url: str, browser: bool) -> None:
    """Wait until the server answers, then say where, and open the browser there."""
    end = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < end:
        if answers(url):
            say(f"Graft is running at {url}\nIt can only be reached from this machine. Press Ctrl-C here to stop it.")
            if browser and not webbrowser.open(url):
                say("No browser could be opened from here: open that address yourself.")
            return
        time.sleep(0.2)


def stop(process: subprocess.Popen) -> None:
    """Ask a process to end, and insist when it does not."""
    process.terminate()
    try:
        process.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_app(words: list[str]) -> int:
    browser = "--no-browser" not in words and os.environ.get("GRAFT_NO_BROWSER") != "1"
    words = [word for word in words if word != "--no-browser"]
    install(VENV, ROOT / "requirements.txt")
    port = port_asked(words) or choose_port()
    say("Starting Graft ...")
    command = [str(python_in(VENV)), "-m", "streamlit", "run", "app.py", "--server.address=127.0.0.1", "--server.headless=true",
               "--logger.hideWelcomeMessage=true"]
    if port_asked(words) is None:
        command.append(f"--server.port={port}")
    server = subprocess.Popen(command + words, cwd=ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a supervisor's stop reaches the server too
    threading.Thread(target=announce, args=(server, f"http://127.0.0.1:{port}", browser), daemon=True).start()
    try:
        code = server.wait()
        if code:
            say(f"Graft ended by itself, with code {code}; the lines above may say why. Your data and runs are safe.")
        return 1 if code else 0
    except KeyboardInterrupt:  # the terminal has sent it to the server as well
        say("\nStopping Graft ...")
        return 0
    finally:
        stop(server)


# ---- the tests

def browser_candidates() -> list[str]:
    """Programs that may be Chrome, Chromium or Edge: $CHROME, then those on the PATH, then where each system keeps them."""
    found = [os.environ.get("CHROME")] + [shutil.which(name) for name in BROWSER_NAMES]
    if os.name == "nt":
        homes = filter(None, map(os.environ.get, ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")))
        found += [os.path.join(home, browser) for home in homes for browser in WINDOWS_BROWSERS]
    if sys.platform == "darwin":
        found += [os.path.join(home, browser) for home in ("/Applications", os.path.expanduser("~/Applications")) for browser in MAC_BROWSERS]
    return [path for path in dict.fromkeys(found) if path and os.path.isfile(path)]


def browser_works(path: str) -> bool:
    """Whether the program starts. On Ubuntu `chromium-browser` may only say that it must be installed; a library may be missing."""
    if os.name == "nt":  # there `--version` opens a window
        return True
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_browser() -> str | None:
    """The first candidate that starts."""
    return next(filter(browser_works, browser_candidates()), None)


def playwright_browser(python: Path) -> str | None:
    """The Chromium that Playwright downloaded earlier, if it starts."""
    asking = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    path = subprocess.run([str(python), "-c", asking], capture_output=True, text=True).stdout.strip()
    return path if path and os.path.isfile(path) and browser_works(path) else None


def provide_browser(python: Path) -> str | None:
    """A browser for the tests, installed when there is none: Playwright's own, else Debian's package. None when nothing worked."""
    found = find_browser() or playwright_browser(python)
    if found:
        return found
    say("The browser tests need Chromium, and there is none yet. Asking Playwright for its own ...")
    environment = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "15000", **os.environ}
    if subprocess.run([str(python), "-m", "playwright", "install", "chromium"], env=environment).returncode == 0:
        found = playwright_browser(python)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        say("Installing Debian's chromium ...")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], env=environment)
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"], env=environment)
        found = find_browser()
    return found


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_calls(words: list[str], workers: int) -> list[list[str]]:
    """The words for each call of pytest, one call after the other.

    With words of the user's there is one plain call. Without, all that needs no browser runs side by side. What a browser shows
    comes after it, two files at a time: a Chromium, a server and a training wait for each other as often as they compute.
    """
    if words:
        return [words]
    return [["-n", str(workers), "--dist", "worksteal", "--ignore=tests/browser"],
            ["-n", str(min(workers, BROWSERS)), "--dist", "loadfile", "tests/browser"]]


def in_turn(calls: list[list[str]], run: Callable[[list[str]], int]) -> int:
    """Run all calls of pytest, those after failing tests too, and give back one exit code: a failure anywhere is one of the whole."""
    codes = []
    for call in calls:
        codes.append(run(call))
        if codes[-1] not in (0, TEST_FAILURES, NO_TESTS):  # interrupted or broken
            return codes[-1]
    if len(codes) > 1 and TEST_FAILURES in codes[:-1]:
        say("Tests failed before those in the browser as well: their summary stands further up.")
    if TEST_FAILURES in codes:
        return TEST_FAILURES
    return NO_TESTS if set(codes) == {NO_TESTS} else 0


def run_tests(words: list[str]) -> int:
    install(VENV, ROOT / "requirements.txt")
    install(VENV, ROOT / "requirements-test.txt")
    python, environment = python_in(VENV), dict(os.environ)
    browser = provide_browser(python)
    if browser:
        environment["CHROME"] = browser
    else:
        say("No browser could be found or installed: set CHROME to a Chrome, Chromium or Edge. The tests in a browser "
            + ("will fail." if os.environ.get("CI") == "true" else "are skipped."))
    return in_turn(pytest_calls(words, min(cores(), MOST_TEST_WORKERS)),
                   lambda call: result_of(subprocess.Popen([str(python), "-m", "pytest", *call], cwd=ROOT, env=environment)))


# ---- the benchmark

def run_bench(words: list[str]) -> int:
    install(VENV, ROOT / "requirements.txt")
    for name in ("requirements.txt", "requirements-bench.txt"):
        install(VENV_BENCH, ROOT / name)
    return result_of(subprocess.Popen([str(python_in(VENV)), "-m", "benchmarks.engine", *words], cwd=ROOT))


COMMANDS = {"app": run_app, "test": run_tests, "bench": run_bench}


def main(words: list[str]) -> int:
    if not words or words[0] not in COMMANDS:
        say("usage: python tools/start.py app [--no-browser] [words for Streamlit ...]\n"
            "       python tools/start.py test [words for pytest ...]\n"
            "       python tools/start.py bench [--images DIR] [--text FILE] [--quick] [--avx2] [...]")
        return 2
    try:
        other = newer_python() if sys.version_info[:2] < NEEDED else None
        if other:
            return result_of(subprocess.Popen([other, __file__, *words]))
        check_python()
        return COMMANDS[words[0]](words[1:])
    except StartProblem as problem:
        say(f"\n{problem}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
