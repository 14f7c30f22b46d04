from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.clock import PATIENCE, RemoteClock, SteadyClock, since_boot_s, wall

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


class Server:
    """A machine with a clock of its own that takes its time to answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ahead = timedelta(0)
        self.there_s, self.back_s = 0.0, 0.0

    def ask(self) -> datetime:
        self.world.elapsed_s += self.there_s
        told = START + timedelta(seconds=self.world.elapsed_s - 1_000) + self.ahead
        self.world.elapsed_s += self.back_s
        return told

    def clock(self) -> RemoteClock:
        return RemoteClock(self.ask, elapsed_s=lambda: self.world.elapsed_s, wall=self.world.wall)

    def truth(self) -> datetime:
        return START + timedelta(seconds=self.world.elapsed_s - 1_000) + self.ahead


def test_the_clock_of_another_machine_goes_on_whatever_ones_own_says() -> None:
    world = World()
    world.wrong_by = timedelta(minutes=-7)
    server = Server(world)
    remote = server.clock()
    clock = SteadyClock(wall=remote, elapsed_s=lambda: world.elapsed_s)
    assert clock() == server.truth() == START
    world.elapsed_s += 8 * 3600
    world.wrong_by = timedelta(days=365)
    assert clock() == server.truth()
    assert remote.ahead == timedelta(days=365)


@pytest.mark.parametrize(("there_s", "back_s"), [(3, 0), (0, 3), (1, 2)])
def test_an_answer_that_takes_long_is_right_within_half_of_that_time(there_s: float, back_s: float) -> None:
    server = Server(World())
    server.there_s, server.back_s = there_s, back_s
    remote = server.clock()
    assert abs(remote() - server.truth()) <= timedelta(seconds=1.5)
    server.there_s = server.back_s = 0.001
    remote.read()
    assert remote() == server.truth()
    # a slow answer that contradicts nothing changes nothing
    server.there_s, server.back_s = there_s, back_s
    remote.read()
    assert remote() == server.truth()


def test_a_server_whose_clock_was_set_is_followed() -> None:
    world = World()
    server = Server(world)
    remote = server.clock()
    server.ahead = timedelta(seconds=-30)
    world.elapsed_s += 5
    remote.read()
    assert remote() == server.truth()
