"""Requests to Microsoft's message trace services within their request budget."""

from typing import Any

import requests
from pyrate_limiter import BucketFullException
from requests.auth import AuthBase
from requests_ratelimiter import LimiterMixin

from office365_message_trace.microsoft.request_budget import (
    BACKGROUND,
    LIVE,
    SHORTEST_WAIT,
    RequestBudget,
)
from office365_message_trace.transport.client import Dated, NotYet, RequestsHttp
from office365_message_trace.transport.session import TimeoutSession

USED_UP = "the request budget is used up"


class PacedSession(LimiterMixin, TimeoutSession):
    """Counts every attempt against ``budget`` as one of ``kind``.

    A request that would have to wait raises `NotYet` instead: the wait belongs to the retry loop,
    where it can be stopped. ``within`` bounds an exchange as in `TimeoutSession`.
    """

    def __init__(self, budget: RequestBudget, kind: str, within: float | None = None) -> None:
        super().__init__(
            within=within,
            limiter=budget,
            max_delay=SHORTEST_WAIT / 2,  # zero would mean: sleep as long as it takes
            bucket_name=kind,
            limit_statuses=(),
        )
        self._budget = budget

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except BucketFullException as full:
            raise NotYet(float(full.meta_info["remaining_time"]), USED_UP) from full
        if response.status_code == 429:
            self._budget.throttled()
        return response


def microsoft_http(
    auth: AuthBase,
    budget: RequestBudget,
    dated: Dated = lambda date: None,
    within: float | None = None,
) -> RequestsHttp:
    """`Http` whose requests are paced, background requests separately; see `PacedSession`."""
    live, background = (PacedSession(budget, kind, within) for kind in (LIVE, BACKGROUND))
    return RequestsHttp(live, auth, background, dated)
