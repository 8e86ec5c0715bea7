"""The SDK's trigger classes: they wire a collector, run it, and report to the platform."""

import gc
import logging
import math
import signal
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any, ClassVar, cast

from prometheus_client import REGISTRY
from prometheus_client.exposition import MetricsHandler
from sekoia_automation.metrics import PrometheusExporterThread
from sekoia_automation.module import LogLevelStr
from sekoia_automation.trigger import LivenessHandler, Trigger

from office365_message_trace.clock import Clock, SystemClock
from office365_message_trace.collect.monitor import Monitors
from office365_message_trace.collect.ownership import OwnedStorage, Ownership
from office365_message_trace.errors import (
    MessageTraceError,
    Replaced,
    Stopped,
    StorageFailed,
    Unavailable,
    origin,
)
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.first_answer import learn_time
from office365_message_trace.monitoring.activity_log import ActivityLog
from office365_message_trace.monitoring.error_reports import (
    disable_trace_propagation,
    limit_reports,
    mute_libraries,
    send_reports,
)
from office365_message_trace.monitoring.metrics import Metrics
from office365_message_trace.monitoring.server import MonitoringServer
from office365_message_trace.sekoia import playbook
from office365_message_trace.sekoia.log import PrintableLog
from office365_message_trace.sekoia.platform import (
    intake_server,
    lacks_values,
    module_values,
    platform_path,
    trigger_values,
    unusable,
)
from office365_message_trace.settings import (
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
    parse,
    unknown_fields,
)
from office365_message_trace.stopping import INTERRUPTED, StopRequest
from office365_message_trace.storage.location import storage_at
from office365_message_trace.storage.wrappers import RetryingStorage
from office365_message_trace.transport.retry import Transport
from office365_message_trace.wiring import Wiring, place_of, run_collector

STOP_GRACE = 0.3  # seconds for a request in flight to end; unconfirmed work is repeated
LOG_GRACE = 0.15  # seconds to send the last log lines, activity log and error reports
UNHURRIED_LOG_GRACE = 5.0  # seconds, for a process that ends on its own

_ATTEMPTS_AT_SECRETS = 5  # about half a minute; then the platform restarts the process
_MOST_LOG_LINES = 500  # waiting to be sent
_PAUSE_OF_LOGS = 10.0  # seconds after the platform refused lines

_PAUSE_AFTER_UNEXPECTED = 60.0  # seconds
_UNEXPECTED = (
    "An unexpected fault stopped the collection; it continues after a minute from where it was, "
    "and nothing is lost. Report this to the maintainers of this module with the text in brackets."
)
_CANNOT_START = (
    "The trigger cannot start, because the platform does not give it its storage or its secrets. Have "
    "the administrator of the platform look at its object storage and its playbook API."
)
_UNUSABLE = 2  # exit status
_DOUBT_EVERY = 86_400.0  # seconds
_NOT_GIVEN = (
    "The trigger cannot start: {}. Each is a file of that name in /symphony, or an environment variable of "
    "that name in capitals. Have the person who runs the image correct it{}."
)
_WITHOUT_PLATFORM = ", or start the trigger without the platform: message-trace run"
_PAUSES_AT_STORAGE = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds; then the platform restarts the process
_NO_PORT = (
    "Port {} of {} cannot be used ({}), so nothing answers there; mail is collected anyway. Have the "
    "person who runs the image enter another port from 1 to 65535, or end the program that listens there."
)

limit_reports()
mute_libraries()
logging.Formatter.converter = time.gmtime  # the SDK's lines have no zone; all other times are UTC


class MessageTraceTrigger(PrintableLog, Trigger):
    """Base of the triggers.

    The SDK calls `run` in a loop. It returns only on a stop, after unusable settings or state, or a
    minute after an unexpected fault. A process that was replaced stops itself: another call would
    claim the state back.
    """

    last_heartbeat_threshold = 900  # seconds; no request or wait stays silent for longer
    settings_model: ClassVar[type[MessageTraceSettings]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._stop_request = StopRequest()
        self._stop_request.listen()
        super().__init__(*args, **kwargs)  # makes `stop` the handler of SIGTERM and SIGINT
        disable_trace_propagation()
        self._sending_logs = Lock()
        self._log_sender = Thread()
        self._activity: ActivityLog | None = None
        self._doubted_at = math.inf  # monotonic seconds
        self._owner: Ownership | None = None
        self._machine = SystemClock(self._stop_event, self._alive)
        self._clock = MicrosoftClock(self._machine, self._report)

    @property
    def configuration(self) -> MessageTraceSettings:
        """The validated settings, node secrets included. Raises `ConfigurationMistakes`."""
        if self._configuration is None:
            self.configuration = trigger_values(self.module.load_config, self._node_secrets)
        return cast(MessageTraceSettings, self._configuration)

    @configuration.setter
    def configuration(self, values: Mapping[str, Any] | MessageTraceSettings) -> None:
        if isinstance(values, Mapping):
            for sentence in unknown_fields(self.settings_model, values):
                self.log(sentence, "warning")
            module = module_values(self.module.load_config, self._secrets)
            values = parse(self.settings_model, values, module)
        self._configuration = values

    def _get_secrets_from_server(  # type: ignore[override]  # the base is decorated
        self,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fetch the secrets as the SDK does, but log a network fault at the first attempt."""
        transport = Transport(playbook.http(), playbook.NAME, self._clock, self._report)
        request = playbook.secrets_request(self.secrets_url, self.token)
        return transport.call(
            request,
            lambda answer: playbook.secrets_in(answer, self._clock.now()),
            _ATTEMPTS_AT_SECRETS,
        )

    def _ensure_data_path_set(self) -> None:
        """Open the storage as the SDK does, but log a fault at the first attempt, in the words of ``check``."""
        for pause in (*_PAUSES_AT_STORAGE, None) if not self._data_path else ():
            try:
                self._data_path = platform_path()
                return
            except StorageFailed as problem:
                if pause is None:
                    raise
                if pause == _PAUSES_AT_STORAGE[0]:
                    self.log(str(problem), "error")
            self._clock.wait(pause)

    def _apply_node_secrets(self) -> None:
        """Do nothing: secrets are merged before validation, which thus sees all settings."""

    def execute(self) -> None:
        """Run the collector in its own thread, so that a blocking call never delays a stop.

        The thread may be abandoned anywhere, because every state on disk can be resumed from. Exits
        with status `INTERRUPTED` after SIGINT, and at once with `_UNUSABLE` if what the platform gives is
        missing or cannot be used.
        """
        if wrong := unusable(self.module.load_config):
            way_out = _WITHOUT_PLATFORM if lacks_values(self.module.load_config) else ""
            self._logger.error(_NOT_GIVEN.format(", ".join(wrong), way_out))
            raise SystemExit(_UNUSABLE)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                super(MessageTraceTrigger, self).execute()
            except Stopped:
                self._logger.info("Stopped.")
            except Exception as error:  # its text may be the platform's answer
                self.log(self._why_not_started(error), "error")
                failures.append(SystemExit(1))
            except BaseException as error:  # handed to the main thread, which raises it
                failures.append(error)
            finally:
                self.stop()

        worker = Thread(target=work, name="collector", daemon=True)
        worker.start()
        number = self._stop_request.wait()
        self.stop()
        worker.join(STOP_GRACE)
        grace = LOG_GRACE if number else UNHURRIED_LOG_GRACE
        activity = Thread(target=self._close_activity, name="activity", daemon=True)
        reports = Thread(target=send_reports, args=(grace,), name="reports", daemon=True)
        activity.start()
        reports.start()
        self._stop_logs_timer()  # again: it may have been about to start once more
        self._send_logs_to_api()
        end = self._machine.monotonic() + grace
        for last in (self._log_sender, activity, reports):
            if last.is_alive():
                last.join(max(end - self._machine.monotonic(), 0.0))
        if failures:
            raise failures[0]
        if number == signal.SIGINT:
            raise SystemExit(INTERRUPTED)

    def _why_not_started(self, error: Exception) -> str:
        if isinstance(error, StorageFailed):
            return f"{_CANNOT_START} {error}"
        cause = f"{error.about(playbook.NAME)} " if isinstance(error, Unavailable) else ""
        return f"{_CANNOT_START} {cause}[{_detail(error)}]"

    def _close_activity(self) -> None:
        if self._activity:
            self._activity.close()

    def stop(self, *signal_and_frame: Any, **_options: Any) -> None:
        """Request a stop, from any thread or as a signal handler.

        A handler may interrupt code that holds a lock, its own included, so it takes none: it wakes
        `execute`, which does the rest.
        """
        if not signal_and_frame:
            self._stop_event.set()
            self._stop_logs_timer()
        self._stop_request.make()

    def _stop_logs_timer(self) -> None:
        self._logs_timer.stop()  # type: ignore[no-untyped-call]

    def run(self) -> None:
        try:
            self._collect()
        except Replaced as end:
            self._activity = None  # it is the new owner's now
            self._report(str(end), "error")
            self.stop()
        except Stopped:
            self._logger.info("Stopped.")
        except MessageTraceError as error:
            self._configuration = None
            self._report(str(error), "critical")
        except Exception as error:  # the SDK would call again at once, and log its text
            self._report(f"{_UNEXPECTED} [{origin(error)}]", "error")
            self._stop_event.wait(_PAUSE_AFTER_UNEXPECTED)

    def _collect(self) -> None:
        settings, clock = self.configuration, self._clock
        intake = intake_server(settings.intake_server, self.module.load_config)
        shared_storage = RetryingStorage(storage_at(self.data_path), clock, self._report)
        place = place_of(shared_storage, settings)
        owner = self._owned(place.folder, clock)
        storage = OwnedStorage(storage_at(self.data_path, place.folder), owner)
        self._activity = activity = ActivityLog(
            storage, clock, settings.policy, self._report, lambda: clock.ahead
        )
        for news in place.news:
            self._report(news, "warning")
        self._report_doubts()
        place.save(shared_storage)
        metrics = Metrics(settings.intake_key.get_secret_value(), settings.policy, clock)
        monitor = Monitors(metrics, activity)
        endpoints = Endpoints.of(settings.cloud)
        parts = Wiring(
            settings, endpoints, self.data_path, clock, self._report, monitor, owner=owner
        )
        metrics.watch(parts.budget)
        source = parts.source()
        began = learn_time(source, clock)
        spare_the_garbage_collector()
        run_collector(
            source,
            parts.pusher(intake),
            parts.storage,
            lambda: parts.budget.daily,
            settings.policy,
            began - settings.first_start,
            clock,
            self._report,
            monitor,
            parts.predecessor(),
            began,
        )

    def _owned(self, folder: str, clock: Clock) -> Ownership:
        """Claim the state in ``folder``, once a process. Raises `Replaced` if another process has
        claimed it since."""
        if self._owner is None or self._owner.folder != folder:
            owner = Ownership(storage_at(self.data_path), folder, clock, self._report)
            owner.claim()
            self._owner = owner
        self._owner.check()
        return self._owner

    def _alive(self) -> None:
        """Called at every wait, so that a replaced process ends wherever it waits."""
        self.heartbeat()  # type: ignore[no-untyped-call]
        if self._owner:
            self._owner.check_if_due()
        if self._configuration and self._machine.monotonic() - self._doubted_at >= _DOUBT_EVERY:
            self._report_doubts()

    def _report_doubts(self) -> None:
        """Warn of settings that are probably a mistake, or will be soon: a certificate expires."""
        self._doubted_at = self._machine.monotonic()
        for doubt in self.configuration.doubts(self._clock.now()):
            self._report(doubt, "warning")

    def _report(self, text: str, level: str) -> None:
        self.log(text, cast(LogLevelStr, level))
        if self._activity:
            self._activity.note(text, level)

    def _send_logs_to_api(self) -> None:  # type: ignore[override]  # the base is decorated
        """Send waiting lines in the background: the SDK would block and retry for minutes.

        The SDK calls this every few seconds, at errors, and at the end.
        """
        if self._logs and not self._sending_logs.locked():
            self._log_sender = Thread(target=self._send_logs, name="logs", daemon=True)
            self._log_sender.start()

    def _send_logs(self) -> None:
        """Send waiting lines, and those that arrive meanwhile: they may be the process's last.

        The latest of the lines that are refused wait for the next call.
        """
        with self._sending_logs:
            try:
                while self._logs:
                    del self._logs[:-_MOST_LOG_LINES]
                    lines = list(self._logs)
                    playbook.send_logs(self.logs_url, self.token, lines)
                    del self._logs[: len(lines)]
            except Exception as error:  # the SDK raises its own if it has no address
                self._logger.warning("Logs could not be sent: %s", _detail(error))
                self._stop_event.wait(_PAUSE_OF_LOGS)

    def start_monitoring(self) -> None:
        """Serve the SDK's liveness and metrics ports so that no silent connection blocks others.

        Logs a port that cannot be used.
        """
        QuietLivenessHandler.trigger = self
        # the SDK declares neither attribute
        if liveness := self._server(self.LIVENESS_PORT_FILE_NAME, 8000, QuietLivenessHandler):
            self._liveness_server = liveness  # type: ignore[assignment]
            Thread(target=liveness.serve_forever, daemon=True).start()
        metrics_handler = MetricsHandler.factory(REGISTRY)
        if metrics := self._server(self.METRICS_PORT_FILE_NAME, 8020, metrics_handler):
            exporter = PrometheusExporterThread(metrics, daemon=True)  # type: ignore[no-untyped-call]
            self._exporter = exporter  # type: ignore[assignment]
            exporter.start()

    def _server(
        self, name: str, default: int, handler: type[BaseHTTPRequestHandler]
    ) -> MonitoringServer | None:
        port = self.module.load_config(name, non_exist_ok=True) or default
        try:
            return MonitoringServer(int(port), handler)
        except (ValueError, OverflowError):
            reason = "it is not a port number"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        self.log(_NO_PORT.format(port, name, reason), "error")
        return None

    def stop_monitoring(self) -> None:
        """Start closing the liveness and metrics servers, without waiting for them."""
        Thread(target=super().stop_monitoring, daemon=True).start()


class QuietLivenessHandler(LivenessHandler):
    """The SDK's liveness port, without a line in the log for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a probe comes every few seconds, and strangers decide how long their requests are."""


class MessageTraceOAuthTrigger(MessageTraceTrigger):
    """Office 365 Message Trace OAuth."""

    settings_model = OAuthSettings


class MessageTraceBasicTrigger(MessageTraceTrigger):
    """Message Trace, the legacy trigger."""

    settings_model = BasicSettings


class MessageTraceGraphTrigger(MessageTraceTrigger):
    """Office 365 Message Trace (Graph API)."""

    settings_model = GraphSettings


def spare_the_garbage_collector() -> None:
    """Keep it from walking all modules over and over: pages are many objects, none
    of them in a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _detail(error: Exception) -> str:
    """The detail of ``error`` for an engineer, without the text of foreign exceptions."""
    return error.detail if isinstance(error, MessageTraceError) else origin(error)
