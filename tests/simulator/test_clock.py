"""Simulated time: when timers come due, and how fast."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from breakglass.simulator.clock import SimulatedClock, SteppedClock

START = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)


def test_a_clock_starts_at_the_moment_it_is_given() -> None:
    assert SteppedClock(START).now() == START


def test_a_speed_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        SimulatedClock(0)


async def test_a_fast_clock_waits_less_than_it_says() -> None:
    clock = SimulatedClock(speed=10_000, start=START)
    began = time.monotonic()
    await clock.sleep(600)
    assert (clock.now() - START).total_seconds() >= 600
    assert time.monotonic() - began < 600


async def test_a_timer_calls_back_once() -> None:
    clock, called = SimulatedClock(speed=10_000), asyncio.Event()
    clock.call_later(60, called.set)
    await asyncio.wait_for(called.wait(), 10)


async def test_a_closed_clock_calls_nobody() -> None:
    clock, calls = SimulatedClock(speed=1_000), list[str]()
    clock.call_later(1, lambda: calls.append("timer"))
    clock.close()
    later = asyncio.Event()
    SimulatedClock(speed=1_000).call_later(5, later.set)
    await asyncio.wait_for(later.wait(), 10)
    assert calls == []


def test_a_stepped_clock_calls_back_in_the_order_of_time() -> None:
    clock, calls = SteppedClock(START), list[tuple[str, float]]()
    clock.call_later(5, lambda: calls.append(("late", clock.elapsed())))
    clock.call_later(2, lambda: calls.append(("early", clock.elapsed())))
    clock.call_later(9, lambda: calls.append(("never", clock.elapsed())))
    clock.advance(6)
    assert calls == [("early", 2), ("late", 5)]
    assert clock.elapsed() == 6


def test_a_timer_set_by_a_timer_comes_due_in_the_same_step() -> None:
    clock, calls = SteppedClock(START), list[float]()
    clock.call_later(1, lambda: clock.call_later(1, lambda: calls.append(clock.elapsed())) and None)
    clock.advance(3)
    assert calls == [2]


def test_a_cancelled_timer_does_not_call() -> None:
    clock, calls = SteppedClock(START), list[str]()
    clock.call_later(1, lambda: calls.append("called")).cancel()
    clock.advance(2)
    assert calls == []


async def test_a_sleeper_wakes_when_the_clock_is_stepped() -> None:
    clock = SteppedClock(START)
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    clock.advance(9)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(1)
    await asyncio.wait_for(sleeper, 10)
