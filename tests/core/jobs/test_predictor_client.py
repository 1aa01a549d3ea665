from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.bundle import predict
from core.errors import UserError
from core.jobs.predictor_client import PredictorClient
from tests.core.bundle.insects import LABELS, encoded, photo, trained, write_to

PICTURES = [encoded(photo(i), "PNG") for i in range(3)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_to(tmp_path_factory.mktemp("predictor") / "best", trained())


@pytest.fixture(scope="module")
def real() -> Iterator[PredictorClient]:
    client = PredictorClient()
    client.warm()
    yield client
    client.close()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator:
    """A client whose child is a few lines of Python that see `n`, how many were started before this one."""
    made: list[PredictorClient] = []

    def client(code: str, seconds: float = 30) -> PredictorClient:
        start = f"import json, os, sys, time\nlog = {str(tmp_path / 'starts')!r}\nopen(log, 'a').write('x')\nn = os.path.getsize(log) - 1\n"
        say = "def say(**fields): print(json.dumps(fields), flush=True)\nsay(ready=True)\n"
        made.append(PredictorClient((sys.executable, "-c", start + say + code), answer_seconds=seconds))
        return made[-1]
    yield client
    for client in made:
        client.close()


ECHO = "for line in sys.stdin:\n    say(labels=['a'], probabilities=[[1.0]] * len(json.loads(line)['items']), seconds=0.1)\n"


def test_it_answers_as_the_bundle_does(real: PredictorClient, bundle: Path) -> None:
    answer = real.predict(bundle, PICTURES)
    assert answer.labels == LABELS and answer.seconds > 0
    here = predict.predict(predict.load(bundle), PICTURES)
    assert [list(row) for row in answer.probabilities] == [pytest.approx(row, abs=1e-6) for row in here]


def test_texts_pass_as_they_are(scripted) -> None:
    client = scripted("for line in sys.stdin:\n    say(labels=json.loads(line)['items'], probabilities=[], seconds=0)\n")
    texts = ["a\nb", "猫", "\ud800", "\x00", ""]
    assert client.predict_texts(Path("x"), texts).labels == tuple(texts)


def test_a_hostile_picture_is_an_error_and_the_next_one_is_answered(real: PredictorClient, bundle: Path) -> None:
    for hostile in (b"", b"%!PS-Adobe-3.0 EPSF-3.0", PICTURES[0][:100]):
        with pytest.raises(UserError, match="This picture can't be read"):
            real.predict(bundle, [PICTURES[0], hostile])
    assert len(real.predict(bundle, PICTURES).probabilities) == 3


def test_threads_get_their_own_answers(real: PredictorClient, bundle: Path) -> None:
    expected, got = [real.predict(bundle, [picture]).probabilities for picture in PICTURES], {}

    def ask(i: int) -> None:
        got[i] = real.predict(bundle, [PICTURES[i % 3]]).probabilities
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {i: expected[i % 3] for i in range(9)}


def test_a_child_that_was_killed_is_replaced(real: PredictorClient, bundle: Path) -> None:
    before = real.predict(bundle, PICTURES)
    child = real._child.process
    child.kill()
    child.wait()
    assert real.predict(bundle, PICTURES).probabilities == before.probabilities


def test_a_child_that_dies_over_a_request_is_started_once_more(scripted) -> None:
    answer = scripted("if n == 0:\n    sys.stdin.readline(); os._exit(1)\n" + ECHO).predict(Path("x"), [b"1", b"2"])
    assert answer.probabilities == ((1.0,), (1.0,))


def test_a_child_that_dies_twice_is_an_error(scripted, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ended twice without an answer"):
        scripted("sys.stdin.readline(); os._exit(1)").predict(Path("x"), [b"1"])
    assert (tmp_path / "starts").read_text() == "xx"


def test_a_child_that_never_answers_is_killed_and_the_next_request_gets_another(scripted) -> None:
    client = scripted("if n == 0:\n    time.sleep(600)\n" + ECHO, seconds=0.5)
    with pytest.raises(UserError, match="no answer within"):
        client.predict(Path("x"), [b"1"])
    client._answer_seconds = 30.0
    assert client.predict(Path("x"), [b"1"]).labels == ("a",)


def test_pictures_leave_no_files_behind(scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "temporary"
    seen.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(seen))
    client = scripted("for line in sys.stdin:\n    files = json.loads(line)['items']\n"
                      "    say(labels=[open(file).read() for file in files], probabilities=[], seconds=0)\n")
    assert client.predict(Path("x"), [b"one", b"two"]).labels == ("one", "two")
    assert list(seen.iterdir()) == []


def test_warming_returns_before_the_child_is_ready(scripted) -> None:
    client = scripted("time.sleep(0)\n" + ECHO)
    client.warm()
    child = client._child.process
    client.warm()
    assert client._child.process is child and client.predict(Path("x"), [b"1"]).labels == ("a",)
    assert client._child.process is child


def test_closing_ends_the_child(scripted) -> None:
    client = scripted(ECHO)
    client.predict(Path("x"), [b"1"])
    child = client._child.process
    client.close()
    assert child.poll() is not None


def test_the_child_ends_when_its_parent_is_killed(root: Path) -> None:
    code = "from core.jobs.predictor_client import client; c = client(); c.warm(); print(c._child.process.pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 120  # it notices once it has imported everything
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the child outlived its parent"
        time.sleep(0.1)


def test_it_never_loads_torch(root: Path) -> None:
    code = "import sys, core.jobs.predictor_client; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0
