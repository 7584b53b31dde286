"""The garbage collector rests while a batch is worked on, and works again after it."""

from __future__ import annotations

import gc

import pytest

from otel_llm_cost_exporter.gc_pause import paused


def test_it_rests_until_the_last_of_several_pauses_ends() -> None:
    assert gc.isenabled()
    with paused():
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_a_fault() -> None:
    with pytest.raises(ZeroDivisionError), paused():
        _ = 1 / 0
    assert gc.isenabled()


def test_a_program_that_does_without_it_goes_on_doing_so() -> None:
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
