from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.clock import PATIENCE, SteadyClock, since_boot_s, wall

START = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A wall clock that can be set, and time that passes whatever it says."""

    def __init__(self) -> None:
        self.elapsed_s = 1_000.0
        self.wrong_by = timedelta(0)

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s - 1_000) + self.wrong_by

    def clock(self) -> SteadyClock:
        return SteadyClock(wall=self.wall, elapsed_s=lambda: self.elapsed_s)


def test_it_follows_a_wall_clock_that_is_slewed() -> None:
    world = World()
    clock = world.clock()
    for _ in range(100):
        world.elapsed_s += 10
        world.wrong_by += timedelta(seconds=0.5)
        assert clock() == world.wall()


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=-1), timedelta(hours=1), timedelta(days=3650)])
def test_a_jump_does_not_show_while_it_may_be_a_mistake(jump: timedelta) -> None:
    world = World()
    clock = world.clock()
    world.wrong_by = jump
    world.elapsed_s += 60
    assert clock() == START + timedelta(seconds=60)
    assert clock.jumped
    world.wrong_by = timedelta(0)
    assert clock() == START + timedelta(seconds=60)
    assert not clock.jumped


def test_a_jump_that_lasts_is_the_truth() -> None:
    world = World()
    clock = world.clock()
    world.wrong_by = timedelta(hours=-1)
    clock()
    world.elapsed_s += PATIENCE.total_seconds()
    assert clock() == world.wall()
    assert not clock.jumped


def test_suspension_passes_time_without_a_jump() -> None:
    world = World()
    clock = world.clock()
    world.elapsed_s += 8 * 3600  # the time since boot goes on while the machine sleeps
    assert clock() == START + timedelta(hours=8)
    assert not clock.jumped


def test_the_real_clocks_agree() -> None:
    before = since_boot_s()
    assert abs(SteadyClock()() - wall()) < timedelta(seconds=1)
    assert since_boot_s() >= before
