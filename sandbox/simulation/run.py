"""One run: lives of the collector until the scenario ends, then judgement."""

from __future__ import annotations

import traceback

from office365_message_trace.errors import Stopped
from sandbox.clock import to_ms
from sandbox.simulation.allowances import RECORD_KEPT_MS, RECOVERY_MINUTES
from sandbox.simulation.clock import Livelock
from sandbox.simulation.crashes import Killed, Takeover
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.scenario import Scenario, draw
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS, Settings, changed
from sandbox.simulation.storage import cursor_file
from sandbox.simulation.storage_damage import Mishaps
from sandbox.simulation.verdict import judge
from sandbox.simulation.world import World

_RECOVERY_MS = RECOVERY_MINUTES * MINUTE_MS
_FOREVER_MS = 1 << 60


def simulate(seed: int, days: int = 1, faults: str = "all", service: str = "both") -> Outcome:
    """Run the scenario of `seed` (see `draw`) and judge it. The same words, the same outcome."""
    return Run(draw(seed, days, faults, service)).outcome()


class Run:
    """The lives of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self._mishaps = Mishaps(self.world, scenario.random("mishaps"))
        self._rng = scenario.random("restarts")
        self._settings = scenario.settings
        self.world.crashes.take_over = self._taken_over
        if scenario.predecessor_hours is not None:
            self._leave_cursor(scenario.predecessor_hours)

    def outcome(self) -> Outcome:
        """Live to the end, and judge."""
        while self._lives_on():
            self._interlude()
        if self.scenario.strays:
            reach = min(each.reach_ms for life in self._history() for each in [life[1]])
            self.world.observation.strays = max(reach, RECORD_KEPT_MS)
        for _ in self.scenario.clock_steps:
            self.world.observation.faults["clock steps"] += 1
        self._explain_visit()
        return judge(self.world)

    def _lives_on(self) -> bool:
        """One life; whether another one follows."""
        world, scenario = self.world, self.scenario
        begins_ms, visit = world.clock.ms, scenario.visit or (_FOREVER_MS, _FOREVER_MS)
        world.place = world.places[-1 if visit[0] <= begins_ms < visit[1] else 0]
        stops = [stop for stop in (*scenario.stops, *visit) if stop > begins_ms]
        world.clock.stop_ms = min([*stops, scenario.end_ms])
        return self._live() and world.clock.ms < scenario.end_ms

    def _live(self) -> bool:
        """One process, until it is stopped or killed; False if it ends in another way."""
        world, settings = self.world, self._settings
        begins_ms, collected = world.clock.ms, world.place.collected
        collected.history.append((begins_ms, settings))
        collected.clock_ahead.append(to_ms(world.clock.now()) - begins_ms)
        if collected.saved_first is None:
            collected.owed_from_ms = self._first_owed(settings)
        world.observation.note(begins_ms, settings)
        try:
            world.live(settings)
        except Killed:
            world.observation.kills += 1
            world.observation.ended(killed=True)
        except Stopped:
            world.observation.stops += 1
            world.observation.ended(killed=False)
        except (Exception, Livelock):  # whatever it is, the module would have ended with it
            world.observation.violations.append(
                f"the collector ended: {traceback.format_exc(limit=-3)}"
            )
            return False
        return True

    def _taken_over(self, takeover: Takeover) -> None:
        """Another process starts on the same storage, and ends, before the first one goes on.

        What the first one had not recorded may come again, and for a while both spend of the budget.
        """
        world, observation = self.world, self.world.observation
        first, began_ms = observation.life, world.clock.ms
        observation.takeovers += 1
        observation.faults["takeovers"] += 1
        observation.ended(killed=True)
        with world.clock.another_process(min(began_ms + takeover.lasts_ms, self.scenario.end_ms)):
            self._live()
        now_ms = world.clock.ms
        if observation.owner is not first:  # the other one may have died before it left its mark
            first.replaced = now_ms
        observation.life = first
        observation.budget_lost += [began_ms, now_ms]
        observation.disturbed(began_ms, now_ms + _RECOVERY_MS)

    def _interlude(self) -> None:
        """The time between two lives, in which settings may change."""
        world, scenario = self.world, self.scenario
        ended_ms = world.clock.ms
        down_ms = int(1000 * (6 * 3600) ** self._rng.random())
        world.clock.skip_to(max(ended_ms + 500, min(ended_ms + down_ms, scenario.faults_until_ms)))
        world.crashes.pass_until(world.clock.ms)
        world.observation.disturbed(ended_ms, world.clock.ms + _RECOVERY_MS)
        if "storage" in scenario.groups:
            self._mishaps.befall()
        self._mishaps.back_up()
        if "restarts" in scenario.groups and self._rng.random() < 0.3:
            self._settings = changed(self._rng, self._settings, scenario.limits)

    def _explain_visit(self) -> None:
        """While one tenant is collected, the other one is not."""
        if self.scenario.visit is None:
            return
        begins, ends = self.scenario.visit
        usual, *visited = self.world.observation.collected
        usual.absent.append((begins, ends + _RECOVERY_MS))
        for each in visited:
            each.absent.append((ends, _FOREVER_MS))

    def _history(self) -> list[tuple[int, Settings]]:
        return [life for each in self.world.observation.collected for life in each.history]

    def _first_owed(self, settings: Settings) -> int:
        """From when on rows are owed, if the life that begins now is the first to leave a trace."""
        usual = self.world.place is self.world.places[0]
        if usual and self.scenario.predecessor_hours is not None:
            return self.scenario.start_ms - self.scenario.predecessor_hours * HOUR_MS
        return self.world.clock.ms - settings.start_time * HOUR_MS

    def _leave_cursor(self, hours: int) -> None:
        """The library's former module was here before."""
        from_ms = self.scenario.start_ms - hours * HOUR_MS
        self.world.storage.blobs["context.json"] = cursor_file(from_ms)
