from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from core.models.catalog import find
from core.training import checkpoint
from core.training.checkpoint import LAST, PREVIOUS, copy_trained, forget, keep, kept, restore_trained
from core.training.presets import plan_for
from tests.core.training.learners import network, same, state

ROW = find("graft-resnet10")


@pytest.mark.parametrize("kind", ["head", "last-stage", "all"])
def test_what_trains_is_written_and_read_back_whole(kind, tmp_path: Path) -> None:
    net = network()
    before = state(net)
    tensors = copy_trained(net, plan_for(ROW, kind))
    keep(tmp_path, tensors, b"{}")
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    for tensor in [*net.parameters(), *net.buffers()]:
        tensor.data.zero_()
    restore_trained(net, kept(tmp_path)[0])
    now = state(net)
    prefixes = {"head": ("fc",), "last-stage": ("fc", "layer4"), "all": ("",)}[kind]
    assert same({name: now[name] for name in tensors}, {name: before[name] for name in tensors})
    assert set(tensors) == {name for name in before if name.startswith(prefixes)}
    assert all(not now[name].any() for name in set(now) - set(tensors))


def test_a_copy_does_not_follow_the_network() -> None:
    net = network()
    tensors = copy_trained(net, plan_for(ROW, "all"))
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with torch.no_grad():
        for tensor in [*net.parameters(), *net.buffers()]:
            tensor.add_(1)
    assert same(tensors, before)


def keep_values(folder: Path, *values: float) -> None:
    for value in values:
        keep(folder, {"a": torch.full((1000,), value), "empty": torch.zeros(0), "n": torch.tensor(int(value))}, f"[{value}]".encode())


def value_of(folder: Path) -> tuple[float, bytes]:
    tensors, facts = kept(folder)
    assert len(set(tensors["a"].tolist())) == 1 and tensors["n"].dtype == torch.int64
    return tensors["a"][0].item(), facts


def test_the_newest_counts_and_the_one_before_stays(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    keep_values(tmp_path, 1.0, 2.0, 3.0)
    assert value_of(tmp_path) == (3.0, b"[3.0]")
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, PREVIOUS]
    (tmp_path / LAST).unlink()  # as between the two renamings
    assert value_of(tmp_path) == (2.0, b"[2.0]")
    forget(tmp_path)
    assert not list(tmp_path.iterdir()) and kept(tmp_path) is None


@pytest.mark.parametrize("where", ["header", "middle", "end"])
@pytest.mark.parametrize("how", ["cut", "bit", "zeros"])
def test_a_damaged_one_is_left_aside(where: str, how: str, tmp_path: Path) -> None:
    keep_values(tmp_path, 1.0, 2.0)
    data = bytearray((tmp_path / LAST).read_bytes())
    at = {"header": 5, "middle": len(data) // 2, "end": len(data) - 1}[where]
    if how == "cut":
        del data[at:]
    elif how == "bit":
        data[at] ^= 1
    else:
        data[at:] = bytes(len(data) - at)
    (tmp_path / LAST).write_bytes(data)
    if how == "zeros" and where == "end":  # it was zero already
        data[at] = 1
        (tmp_path / LAST).write_bytes(data)
    assert value_of(tmp_path) == (1.0, b"[1.0]")


def test_a_bit_that_flips_anywhere_is_noticed(tmp_path: Path) -> None:
    """Also in what is to be known of the tensors."""
    keep(tmp_path, {"a": torch.arange(4.0)}, b'{"step": 1}')
    keep(tmp_path, {"a": torch.arange(4.0)}, b'{"step": 2}')
    whole = (tmp_path / LAST).read_bytes()
    for at in range(len(whole)):
        (tmp_path / LAST).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        tensors, facts = kept(tmp_path)
        assert facts in (b'{"step": 1}', b'{"step": 2}') and torch.equal(tensors["a"], torch.arange(4.0)), at


def test_two_damaged_ones_are_as_none(tmp_path: Path) -> None:
    keep_values(tmp_path, 1.0, 2.0)
    for name in (LAST, PREVIOUS):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    assert kept(tmp_path) is None


def test_one_that_can_not_be_read_back_does_not_replace_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_values(tmp_path, 1.0, 2.0)
    write = checkpoint.save_file

    def torn(tensors: object, path: Path, about: object) -> None:
        write(tensors, path, about)  # type: ignore[arg-type]
        os.truncate(path, path.stat().st_size - 100)
    monkeypatch.setattr(checkpoint, "save_file", torn)
    with pytest.raises(OSError, match="read back"):
        keep_values(tmp_path, 3.0)
    assert value_of(tmp_path)[0] == 2.0 and len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_values(tmp_path, 1.0)

    def full(tensors: object, path: Path, about: object) -> None:
        path.write_bytes(b"some of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError):
        keep_values(tmp_path, 2.0)
    assert value_of(tmp_path)[0] == 1.0 and [path.name for path in tmp_path.iterdir()] == [LAST]


def test_a_name_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        restore_trained(network(), {"layer9.weight": torch.zeros(1)})
