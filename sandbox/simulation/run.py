"""One run: lives of the collector until the scenario ends, then judgement."""

from __future__ import annotations

import traceback

from office365_message_trace.errors import Stopped
from sandbox.simulation.judge import judge
from sandbox.simulation.mishaps import Mishaps
from sandbox.simulation.outcome import Outcome
from sandbox.simulation.perils import Killed
from sandbox.simulation.scenario import Scenario, draw
from sandbox.simulation.settings import HOUR_MS, Settings, changed
from sandbox.simulation.storage import cursor_file
from sandbox.simulation.world import World

_RECOVERY_MS = HOUR_MS


def simulate(seed: int, days: int = 1, faults: str = "all", service: str = "both") -> Outcome:
    """Run the scenario of `seed` (see `draw`) and judge it. The same words, the same outcome."""
    return Run(draw(seed, days, faults, service)).outcome()


class Run:
    """The lives of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.history: list[tuple[int, Settings]] = []
        """The settings of each life, with the true time of its beginning."""
        self.owed_from_ms = 0
        self._mishaps = Mishaps(self.world, scenario.random("mishaps"))
        self._rng = scenario.random("restarts")
        if scenario.predecessor_hours is not None:
            self._leave_cursor(scenario.predecessor_hours)

    def outcome(self) -> Outcome:
        """Live to the end, and judge."""
        settings = self.scenario.settings
        while self._lives_on(settings):
            settings = self._interlude(settings)
        self._explain_clock_steps()
        if self.scenario.strays:
            self.world.witness.strays = self._shortest_reach_ms(), self.owed_from_ms
        return judge(self.world, self.history, self.owed_from_ms)

    def _lives_on(self, settings: Settings) -> bool:
        """One life; whether another one follows."""
        world, scenario = self.world, self.scenario
        begins_ms = world.clock.ms
        self.history.append((begins_ms, settings))
        if world.witness.saved_first is None:
            self.owed_from_ms = self._first_owed(settings)
        stops = [stop for stop in scenario.stops if stop > begins_ms]
        world.clock.stop_ms = min([*stops, scenario.end_ms])
        world.witness.note(begins_ms, settings)
        try:
            world.live(settings)
        except Killed:
            world.witness.kills += 1
            world.witness.ended(killed=True)
        except Stopped:
            world.witness.stops += 1
            world.witness.ended(killed=False)
        except Exception:  # whatever it is, the module would have ended with it
            world.witness.violations.append(
                f"the collector ended: {traceback.format_exc(limit=-3)}"
            )
            return False
        return world.clock.ms < scenario.end_ms

    def _interlude(self, settings: Settings) -> Settings:
        """The time between two lives; returns the settings of the next."""
        world, scenario = self.world, self.scenario
        ended_ms = world.clock.ms
        down_ms = int(1000 * (6 * 3600) ** self._rng.random())
        world.clock.skip_to(max(ended_ms + 500, min(ended_ms + down_ms, scenario.faults_until_ms)))
        world.perils.pass_until(world.clock.ms)
        world.witness.disturbed(ended_ms, world.clock.ms + _RECOVERY_MS)
        if "storage" in scenario.groups:
            self._mishaps.befall([each for _, each in self.history])
        self._mishaps.back_up()
        if "restarts" in scenario.groups and self._rng.random() < 0.3:
            return changed(self._rng, settings)
        return settings

    def _explain_clock_steps(self) -> None:
        """While the clock is wrong no delay is judged, and after a step back mail is read again."""
        steps, witness = self.scenario.clock_steps, self.world.witness
        if steps:
            witness.disturbed(steps[0][0], steps[-1][0] + 2 * _RECOVERY_MS)
        reach = self._shortest_reach_ms()
        for at_ms, _ in steps:
            witness.faults["clock steps"] += 1
            furthest_ms = at_ms + self.scenario.furthest_offset_ms
            witness.excused_before.append((at_ms, furthest_ms - reach))

    def _shortest_reach_ms(self) -> int:
        """Up to what age rows are looked for, whatever the settings of the moment."""
        return min(max(each.lookback_ms, each.delay_ms) for _, each in self.history)

    def _first_owed(self, settings: Settings) -> int:
        """From when on rows are owed, if the life that begins now is the first to leave a trace."""
        now_ms = self.world.clock.ms + self.world.clock.offset_ms
        if self.scenario.predecessor_hours is not None:
            return self.scenario.start_ms - self.scenario.predecessor_hours * HOUR_MS
        return now_ms - settings.start_time * HOUR_MS

    def _leave_cursor(self, hours: int) -> None:
        """The library's former module was here before."""
        from_ms = self.scenario.start_ms - hours * HOUR_MS
        self.world.storage.blobs["context.json"] = cursor_file(from_ms)
