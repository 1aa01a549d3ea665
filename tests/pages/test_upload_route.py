"""Files sent to the upload route arrive whole, once, under numbers, or not at all."""
from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from core.data.limits import LIMITS, save_limits
from core.workspace import Workspace
from pages.routes import inbox, tokens, upload
from tests.pages.served import Served, served

UPLOAD = "upload7"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(upload.ROUTES) as running:
        yield running


@pytest.fixture
def address(ws: Workspace) -> str:
    return f"/graft/upload?token={tokens.mint(ws, 'local', 'upload', upload=UPLOAD)}"


def framed(*files: tuple[str | bytes, bytes]) -> bytes:
    named = [(name if isinstance(name, bytes) else name.encode(), data) for name, data in files]
    return b"".join(len(name).to_bytes(4, "big") + name + len(data).to_bytes(8, "big") + data for name, data in named)


def stored(ws: Workspace) -> dict[str, bytes]:
    """What names.jsonl lists, read from the files it points to; every file must be listed."""
    folder = ws.upload(UPLOAD)
    names = folder / "names.jsonl"
    entries = [json.loads(line) for line in names.read_text(encoding="utf-8").splitlines()] if names.exists() else []
    assert sorted(entry["file"] for entry in entries) == sorted(path.name for path in (folder / "files").iterdir())
    assert all((folder / "files" / entry["file"]).stat().st_size == entry["size"] for entry in entries)
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: (folder / "files" / entry["file"]).read_bytes() for entry in entries}


def until(true: Callable[[], object]) -> bool:
    for _ in range(500):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_files_arrive_with_their_names_as_text_only(server: Served, ws: Workspace, address: str) -> None:
    files = {"猫/一 二.jpg": b"meow", "../../../etc/passwd": b"x", "C:\\con\n.txt": b"", "big": bytes(range(256)) * 12_000}
    answer = server.send("PUT", address, framed(*files.items()))
    assert (answer.status, answer.json) == (200, {"saved": 4, "skipped": 0, "bytes": sum(map(len, files.values()))})
    assert stored(ws) == files
    assert {path.name for path in (ws.upload(UPLOAD) / "files").iterdir()} == {"000001", "000002", "000003", "000004"}


def test_2500_files_sent_three_requests_at_a_time_are_all_there(server: Served, ws: Workspace, address: str) -> None:
    files = [(f"class{i % 6}/{i}.jpg", f"picture {i}".encode() * (i % 50)) for i in range(2500)]
    batches = [framed(*files[i:i + 100]) for i in range(0, len(files), 100)]
    with ThreadPoolExecutor(3) as three:
        answers = list(three.map(lambda batch: server.send("PUT", address, batch), batches))
    assert sum(answer.json["saved"] for answer in answers) == 2500
    assert stored(ws) == dict(files)


def test_a_repeated_batch_stores_nothing_twice_even_at_the_same_time(server: Served, ws: Workspace, address: str) -> None:
    files = [(f"{i}.txt", b"x" * i) for i in range(40)]
    with ThreadPoolExecutor(3) as three:
        list(three.map(lambda batch: server.send("PUT", address, batch), [framed(*files)] * 3))
    assert server.send("PUT", address, framed(*files)).json == {"saved": 0, "skipped": 40, "bytes": 0}
    assert stored(ws) == dict(files)


def test_a_body_that_breaks_off_keeps_the_whole_files_and_leaves_no_part(server: Served, ws: Workspace, address: str) -> None:
    body = framed(("a", b"1" * 100), ("b", b"2" * 100))
    for length in (3, 4, 5, 12, 60):
        assert server.send("PUT", address, body[:length]).status == 400
        assert stored(ws) == {}
    answer = server.send("PUT", address, body[:-1])
    assert answer.status == 400 and answer.json["title"] == "The upload broke off."
    assert stored(ws) == {"a": b"1" * 100}
    assert server.send("PUT", address, body).json == {"saved": 1, "skipped": 1, "bytes": 100}


def test_a_browser_that_leaves_in_the_middle_leaves_no_part(server: Served, ws: Workspace, address: str) -> None:
    folder = ws.upload(UPLOAD) / "files"
    body = framed(("whole", b"w" * 10), ("half", b"h" * 3_000_000))
    with socket.create_connection(("127.0.0.1", server.port)) as browser:
        head = f"PUT {address} HTTP/1.1\r\nhost: {server.host}\r\norigin: http://{server.host}\r\ncontent-length: {len(body)}\r\n\r\n"
        browser.sendall(head.encode() + body[:2_000_000])
        assert until(lambda: any(path.suffix == ".part" for path in folder.glob("*")))
    assert until(lambda: not list(folder.glob("*.part")))
    assert stored(ws) == {"whole": b"w" * 10}
    assert until(lambda: not inbox._open), "its place in the limits is free again"


def test_parts_and_half_lines_of_a_killed_server_are_cleaned(server: Served, ws: Workspace, address: str) -> None:
    server.send("PUT", address, framed(("a", b"1"), ("b", b"2")))
    (ws.upload(UPLOAD) / "files" / "0123.part").write_bytes(b"rest")
    with (ws.upload(UPLOAD) / "names.jsonl").open("ab") as names:
        names.write(b'{"file": "000003", "na')
    assert until(lambda: not inbox._open)
    assert server.send("PUT", address, framed(("b", b"2"), ("c", b"3"))).json == {"saved": 1, "skipped": 1, "bytes": 1}
    assert stored(ws) == {"a": b"1", "b": b"2", "c": b"3"}


def test_a_second_kill_while_a_half_line_is_dropped_loses_nothing(server: Served, ws: Workspace, address: str,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    server.send("PUT", address, framed(("a", b"1"), ("b", b"2")))
    assert until(lambda: not inbox._open)
    with (ws.upload(UPLOAD) / "names.jsonl").open("ab") as names:
        names.write(b'{"file": "000003", "na')

    def killed(*_: object) -> None:
        raise KeyboardInterrupt
    with monkeypatch.context() as kill:
        kill.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            inbox.read_rows(ws.upload(UPLOAD))
    assert server.ask("GET", address).json["files"] == {"a": 1, "b": 1}


@pytest.mark.parametrize("changed, title", [
    ({"file_bytes": 9}, "A file is too large."), ({"total_bytes": 25}, "That is too much at once."),
    ({"files": 2}, "Those are too many files."), ({"name_bytes": 3}, "A file name is too long."),
    ({"spare_bytes": 2**60}, "The disk is nearly full."),
])
def test_each_limit_refuses_with_a_reason(server: Served, ws: Workspace, address: str,
                                         changed: dict[str, int], title: str) -> None:
    save_limits(ws, replace(LIMITS, upload=replace(LIMITS.upload, **changed)))
    answer = server.send("PUT", address, framed(("1", b"x" * 9), ("2", b"x" * 9), ("long", b"x" * 10)))
    assert (answer.status, answer.json["title"]) == (400, title)
    assert answer.json["cause"] and answer.json["fix"] and "{" not in str(answer.json.values())
    assert set(stored(ws)) <= {"1", "2"}


def test_limits_hold_over_several_requests_and_for_declared_sizes(server: Served, ws: Workspace, address: str) -> None:
    save_limits(ws, replace(LIMITS, upload=replace(LIMITS.upload, total_bytes=30)))
    assert server.send("PUT", address, framed(("1", b"x" * 20))).status == 200
    assert server.send("PUT", address, framed(("2", b"x" * 20))).status == 400
    assert server.send("PUT", address, b"\0\0\0\1n" + (2**63).to_bytes(8, "big") + b"xx").status == 400
    assert server.send("PUT", address, framed(("3", b"x" * 10))).status == 200


@pytest.mark.parametrize("body", [b"\0", b"\0\0\0\0", b"\0\0\0\2n", framed((b"\xff\xfe", b"x")), b"\xff\xff\xff\xff"])
def test_nonsense_is_refused(server: Served, ws: Workspace, address: str, body: bytes) -> None:
    assert server.send("PUT", address, body).status == 400
    assert stored(ws) == {}


def test_an_upload_given_up_is_gone_and_its_late_requests_bring_nothing(server: Served, ws: Workspace, address: str) -> None:
    server.send("PUT", address, framed(("a", b"1")))
    late = inbox.arrive(inbox.inbox_of(ws, UPLOAD), "late", 1)
    assert server.send("DELETE", address).status == 204
    assert not ws.upload(UPLOAD).exists()
    late.write(b"x")
    with pytest.raises(inbox.DataError, match="cancelled"):
        late.finish()
    late.discard()
    assert server.send("PUT", address, framed(("b", b"2"))).status == 200
    assert stored(ws) == {"b": b"2"}


def test_two_uploads_at_once_do_not_mix(server: Served, ws: Workspace, address: str) -> None:
    other = f"/graft/upload?token={tokens.mint(ws, 'local', 'upload', upload='upload8')}"
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda pair: server.send("PUT", pair[0], framed((pair[1], pair[1].encode()))), ((address, "a"), (other, "b"))))
    assert stored(ws) == {"a": b"a"}


@pytest.mark.parametrize("claims", [{}, {"upload": "../runs"}, {"upload": ""}])
def test_a_token_without_a_proper_upload_is_refused(server: Served, ws: Workspace, claims: dict[str, str]) -> None:
    assert server.send("PUT", f"/graft/upload?token={tokens.mint(ws, 'local', 'upload', **claims)}", framed(("a", b"1"))).status == 404


def test_the_guard_stands_before_the_route(server: Served, ws: Workspace, address: str) -> None:
    body = framed(("a", b"1"))
    other_scope = f"/graft/upload?token={tokens.mint(ws, 'local', 'thumbs', upload=UPLOAD)}"
    for answer in (server.ask("PUT", address, body), server.ask("PUT", address, body, origin="http://evil.example"),
                   server.send("PUT", "/graft/upload", body), server.send("PUT", other_scope, body), server.ask("DELETE", address)):
        assert answer.status == 403
    assert not ws.upload(UPLOAD).exists()


def piece(name: str, data: bytes, have: int, size: int, modified: int = 1) -> bytes:
    head = json.dumps({"name": name, "size": size, "modified": modified, "have": have}).encode()
    return len(head).to_bytes(4, "big") + head + data


@pytest.fixture
def pieces(address: str) -> str:
    return address.replace("/graft/upload", "/graft/upload/piece")


def test_what_has_arrived_is_told_file_by_file_and_in_brief(server: Served, ws: Workspace, address: str, pieces: str) -> None:
    assert server.ask("GET", address + "&brief=1").json == {"n": 0, "bytes": 0, "name": ""}
    assert not ws.upload(UPLOAD).exists(), "asking alone leaves nothing"
    server.send("PUT", address, framed(("pets/猫/1", b"11"), ("pets/dog/2", b"2")))
    server.send("PUT", pieces, piece("pets/big", b"bi", 0, 3))
    assert server.ask("GET", address + "&brief=1").json == {"n": 2, "bytes": 5, "name": "pets"}
    answer = server.ask("GET", address).json
    assert answer["files"] == {"pets/猫/1": 2, "pets/dog/2": 1}
    assert answer["parts"] == [{"name": "pets/big", "size": 3, "modified": 1, "have": 2}]
    server.send("PUT", address, framed(("other", b"1")))
    assert server.ask("GET", address + "&brief=1").json["name"] == ""


def test_a_large_file_goes_on_from_its_last_whole_piece_after_a_crash(server: Served, ws: Workspace, pieces: str) -> None:
    data = bytes(range(250)) * 4
    assert server.send("PUT", pieces, piece("big.zip", data[:400], 0, 1000)).json == {"have": 400}
    assert until(lambda: not inbox._open), "a new server reads the folder again"
    (begun,) = (ws.upload(UPLOAD) / "files").glob("*.piece")
    with begun.open("ab") as torn:
        torn.write(b"half a piece that no record knows")
    answer = server.send("PUT", pieces, piece("big.zip", data[900:], 900, 1000))
    assert (answer.status, answer.json) == (409, {"have": 400}), "the answer says where to go on"
    assert server.send("PUT", pieces, piece("big.zip", data[:400], 0, 1000)).json == {"have": 400}, "its answer was lost: nothing twice"
    assert server.send("PUT", pieces, piece("big.zip", data[400:900], 400, 1000)).json == {"have": 900}
    assert server.send("PUT", pieces, piece("big.zip", data[900:], 900, 1000)).json == {"have": 1000}
    assert stored(ws) == {"big.zip": data}
    assert server.send("PUT", pieces, piece("big.zip", data[900:], 900, 1000)).json == {"have": 1000}, "its answer was lost"
    assert stored(ws) == {"big.zip": data}


def test_pieces_out_of_order_change_nothing(server: Served, ws: Workspace, pieces: str) -> None:
    for offset in (5, 9):
        answer = server.send("PUT", pieces, piece("big", b"x", offset, 10))
        assert (answer.status, answer.json) == (409, {"have": 0})
    assert stored(ws) == {}
    server.send("PUT", pieces, piece("big", b"01234", 0, 10))
    assert server.send("PUT", pieces, piece("big", b"9", 9, 10)).json == {"have": 5}
    assert server.send("PUT", pieces, piece("big", b"56789", 5, 10)).status == 200
    assert stored(ws) == {"big": b"0123456789"}


def test_sizes_that_lie_are_refused(server: Served, ws: Workspace, pieces: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = server.send("PUT", pieces, piece("big", b"x" * 11, 0, 10))
    assert answer.status == 400 and "changed while it was uploaded" in str(answer.json["title"])
    monkeypatch.setattr(upload, "PIECE_BYTES", 8)
    assert server.send("PUT", pieces, piece("big", b"x" * 9, 0, 100)).status == 400
    for head in ({"size": -1}, {"size": 0}, {"have": -1}, {"name": ""}, {"name": "\ud800"}, {"size": "x"}, {"name": "n" * 2000}):
        text = json.dumps({"name": "a", "size": 5, "modified": 1, "have": 0, **head}).encode()
        assert server.send("PUT", pieces, len(text).to_bytes(4, "big") + text + b"x").status == 400, head
    for body in (b"", b"\0\0\0\0", b"\0\0\0\5{", b"\xff\xff\xff\xff"):
        assert server.send("PUT", pieces, body).status == 400
    assert stored(ws) == {}


def test_the_same_name_with_another_date_is_another_file(server: Served, ws: Workspace, pieces: str) -> None:
    server.send("PUT", pieces, piece("big", b"old", 0, 6, modified=1))
    assert server.send("PUT", pieces, piece("big", b"new", 3, 6, modified=2)).json == {"have": 0}
    server.send("PUT", pieces, piece("big", b"new", 0, 6, modified=2))
    server.send("PUT", pieces, piece("big", b"est", 3, 6, modified=2))
    assert stored(ws) == {"big": b"newest"}


def test_two_tabs_that_send_the_same_large_file_make_one(server: Served, ws: Workspace, pieces: str) -> None:
    data = bytes(range(256)) * 40

    def tab(_: int) -> None:
        have = 0
        while have < len(data):
            have = server.send("PUT", pieces, piece("big", data[have:have + 500], have, len(data))).json["have"]
    with ThreadPoolExecutor(2) as two:
        list(two.map(tab, range(2)))
    assert stored(ws) == {"big": data}


@pytest.mark.parametrize("changed, title", [
    ({"file_bytes": 9}, "A file is too large."), ({"total_bytes": 19}, "That is too much at once."),
    ({"files": 1}, "Those are too many files."), ({"spare_bytes": 2**60}, "The disk is nearly full."),
])
def test_the_limits_hold_for_pieces_by_the_size_of_the_whole_file(server: Served, ws: Workspace, address: str, pieces: str,
                                                                 changed: dict[str, int], title: str) -> None:
    server.send("PUT", address, framed(("here", b"x" * 10)))
    assert until(lambda: not inbox._open)
    save_limits(ws, replace(LIMITS, upload=replace(LIMITS.upload, **changed)))
    answer = server.send("PUT", pieces, piece("big", b"x", 0, 10))
    assert (answer.status, answer.json["title"]) == (400, title)
    assert stored(ws) == {"here": b"x" * 10}


def test_what_is_begun_in_pieces_counts_for_the_others(server: Served, ws: Workspace, address: str, pieces: str) -> None:
    save_limits(ws, replace(LIMITS, upload=replace(LIMITS.upload, total_bytes=30)))
    assert server.send("PUT", pieces, piece("big", b"x", 0, 20)).status == 200
    assert server.send("PUT", address, framed(("a", b"x" * 11))).json["title"] == "That is too much at once."
    assert server.send("PUT", address, framed(("a", b"x" * 10))).status == 200


def test_a_tab_whose_upload_was_given_up_brings_nothing_into_the_next_one(server: Served, ws: Workspace, address: str, pieces: str) -> None:
    turn = str(server.ask("GET", address).json["turn"])
    assert server.send("PUT", address, framed(("pets/a", b"1")), x_graft_turn=turn).status == 200
    server.send("DELETE", address)
    later = str(server.ask("GET", address).json["turn"])
    for path, body in ((address, framed(("pets/b", b"1"))), (pieces, piece("pets/c", b"1", 0, 1))):
        answer = server.send("PUT", path, body, x_graft_turn=turn)
        assert (answer.status, answer.json["title"]) == (400, "The upload was cancelled.")
    assert server.send("PUT", address, framed(("flowers/a", b"1")), x_graft_turn=later).status == 200
    assert stored(ws) == {"flowers/a": b"1"}


def test_the_turn_stays_the_same_over_a_restart(server: Served, ws: Workspace, address: str) -> None:
    turn = server.ask("GET", address).json["turn"]
    assert turn and until(lambda: not inbox._open)
    assert server.ask("GET", address).json["turn"] == turn


def test_single_files_can_be_taken_back(server: Served, ws: Workspace, address: str) -> None:
    server.send("PUT", address, framed(("c1/a", b"1"), ("c1/b", b"22"), ("c2/c", b"3")))
    assert server.send("DELETE", address, json.dumps({"names": ["c1/b", "never there"]}).encode()).status == 204
    assert stored(ws) == {"c1/a": b"1", "c2/c": b"3"}
    assert server.ask("GET", address + "&brief=1").json["bytes"] == 2
    assert server.send("PUT", address, framed(("c1/b", b"22"))).json["saved"] == 1, "and brought again"
    assert server.send("DELETE", address, b"{}").status == 400 and len(stored(ws)) == 3


def test_an_upload_whose_import_could_not_begin_goes_on_as_it_was(server: Served, ws: Workspace, address: str) -> None:
    server.send("PUT", address, framed(("c1/a", b"1"), ("loose", b"2")))
    assert inbox.take(ws, UPLOAD)
    inbox.name_folders(ws, UPLOAD, {"c1": "cats"})
    assert [row["name"] for row in inbox.read_rows(ws.upload(UPLOAD))] == ["cats/a"]
    inbox.release(ws, UPLOAD)
    assert server.send("PUT", address, framed(("c1/a", b"1"), ("c1/b", b"3"))).json["skipped"] == 1
    assert stored(ws) == {"c1/a": b"1", "loose": b"2", "c1/b": b"3"}


def test_an_upload_is_taken_once_and_then_closed(server: Served, ws: Workspace, address: str, pieces: str) -> None:
    server.send("PUT", address, framed(("a", b"1")))
    late = inbox.arrive(inbox.inbox_of(ws, UPLOAD), "late", 1)
    with ThreadPoolExecutor(4) as tabs:
        assert sorted(tabs.map(lambda _: inbox.take(ws, UPLOAD), range(4))) == [False, False, False, True]
    late.write(b"x")
    with pytest.raises(inbox.DataError, match="cancelled"):
        late.finish()
    late.discard()
    for answer in (server.send("PUT", address, framed(("b", b"2"))), server.send("PUT", pieces, piece("c", b"1", 0, 1)),
                   server.ask("GET", address), server.send("DELETE", address)):
        assert (answer.status, answer.json["title"]) == (400, "The upload was cancelled.")
    assert stored(ws) == {"a": b"1"}
