"""What running out of memory looks like."""
from __future__ import annotations

import errno

import pytest

from core.errors import out_of_memory


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), RuntimeError("std::bad_alloc"), OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("could not create a primitive"), RuntimeError("could not execute a primitive")])
def test_memory_that_ran_out_is_known_by_whoever_says_it(error: Exception) -> None:
    assert out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError(errno.ENOSPC, "No space left on device")])
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not out_of_memory(error)
