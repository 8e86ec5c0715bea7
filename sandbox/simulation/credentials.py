"""An application's tokens without a network: they expire, are revoked, and may be denied."""

from __future__ import annotations

from datetime import timedelta

from office365_message_trace.errors import Misconfigured, NoToken, Refused
from sandbox.entra import App, Entra
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.disturbances import Disturbances
from sandbox.simulation.malformed_answers import Heard, date_of, unheard
from sandbox.simulation.observation import Observation
from sandbox.simulation.service_variants import Date

TENANT = "9c4ab6f2-62a0-4e1c-9a3d-5d1c1f0c7a11"
OTHER_TENANT = "2f0b1d8e-7c55-4d0a-9a1b-6c2d3e4f5a6b"
APP = App("0f6a2c0e-58c8-4b0a-8d26-5a4c5f2f6b01", {"a secret of the simulation": None})
_LIFETIME = timedelta(seconds=3599)
_EARLY_MS = 300_000
_FORM = {
    "grant_type": "client_credentials",
    "client_id": APP.client_id,
    "client_secret": "a secret of the simulation",
}


class SimulatedCredentials:
    """Implements `office365_message_trace.transport.retry.Credentials`, and signs."""

    def __init__(
        self,
        entra: Entra,
        resource: str,
        clock: VirtualClock,
        disturbances: Disturbances,
        observation: Observation,
        heard: Heard = unheard,
    ) -> None:
        self._form = {**_FORM, "scope": f"{resource}/.default"}
        self._entra, self._clock = entra, clock
        self._disturbances, self._observation = disturbances, observation
        self.heard = heard
        """Takes the time that answers tell, those of the service too."""
        self.date: Date = "right"
        """What time Entra ID says."""
        self._token = ""
        self._until_ms = 0
        self._renewed = False

    def authorization(self) -> str:
        """The header's value. Raises `Misconfigured`, `Refused` or `NoToken` in a spell."""
        now = self._clock.ms
        if self._disturbances.chance("revoked"):
            self._observation.fault(now, "token revoked")
            self._entra.revoke_all()
        if now >= self._until_ms:
            self._token = self._new_token(now)
            self._until_ms = now + int(_LIFETIME.total_seconds() * 1000) - _EARLY_MS
        return f"Bearer {self._token}"

    def renew(self) -> bool:
        """Forget the token; whether that is worth a try."""
        worth_it = not self._renewed
        self._renewed = True
        self._until_ms = 0
        return worth_it

    def proven(self) -> None:
        """A request was accepted."""
        self._renewed = False

    def _new_token(self, now: int) -> str:
        if self._disturbances.active("token refused"):
            self._observation.fault(now, "token refused")
            self._observation.life.refused.append(now)
            kind = Misconfigured if now % 2 else Refused
            raise kind("Entra ID gives no token", "AADSTS7000222")
        if self._disturbances.active("no token"):
            self._observation.fault(now, "no token")
            raise NoToken("Entra ID gives no token at the moment", "status 503")
        self.heard("Entra ID", date_of(now, self.date), now / 1000)
        self._clock.elapse(0.3)
        return str(self._entra.authenticate(TENANT, self._form)["access_token"])


def directory(clock: VirtualClock, seed: int) -> Entra:
    """An Entra ID that knows the application, in true time."""
    return Entra(TENANT, [APP], clock.true, token_lifetime=_LIFETIME, seed=seed)
