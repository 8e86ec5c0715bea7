"""Meanings of Entra ID's refusals, and who has to do what about them."""

import re
from datetime import timedelta
from typing import Any

from office365_message_trace import codec
from office365_message_trace.errors import Hindered, Misconfigured, NoToken, Refused, Unreachable
from office365_message_trace.microsoft.dates import seconds_of
from office365_message_trace.model import EPOCH
from office365_message_trace.transport.retry import retry_after
from office365_message_trace.transport.session import Answer
from office365_message_trace.untrusted_text import code

_APP_REGISTRATION = "Azure portal > App registrations > your application"
_FEDERATED = f"{_APP_REGISTRATION} > Certificates & secrets > Federated credentials"
_NO_FEDERATION = (
    "Entra ID does not trust the token in federated_token_file: the application has no federated "
    "credential with its issuer, subject and audience. Have the application's administrator compare "
    f"them, letter by letter and with capitals, in {_FEDERATED}."
)
_FEDERATION_DISABLED = (
    "The tenant does not allow workload identity federation. Have its administrator look for a "
    "policy against federated credentials in Azure portal > Microsoft Entra ID, or enter a "
    "client_certificate instead of federated_token_file."
)
_OTHER_CLOUD = (
    "The tenant lives in another cloud of Microsoft. Choose the cloud of the tenant in the setting "
    "cloud: global, gcc_high or china."
)

_UNKNOWN_TENANT = (
    "Entra ID does not know the tenant. Compare tenant_id with the Directory (tenant) ID on "
    "Azure portal > Microsoft Entra ID > Overview, and the setting cloud with the tenant's cloud."
)
_NO_TENANT = (
    "tenant_id is a placeholder such as common or organizations, which names no tenant. Enter the "
    "Directory (tenant) ID from Azure portal > Microsoft Entra ID > Overview."
)

_OTHER: tuple[type[Refused], str] = (
    Misconfigured,
    "Entra ID refuses a token. Compare tenant_id, client_id and the credential with the "
    "application's registration, and look at Azure portal > Microsoft Entra ID > Sign-in logs "
    "> Service principal sign-ins.",
)

REFUSALS: dict[int, tuple[type[Refused], str]] = {
    7000215: (
        Misconfigured,
        "The client secret is wrong. Most often the secret's ID was pasted: client_secret must be "
        f"the Value that {_APP_REGISTRATION} > Certificates & secrets shows once, when the secret "
        "is created. Create a new secret and enter its Value.",
    ),
    7000222: (
        Misconfigured,
        f"The client secret has expired. Create a new one in {_APP_REGISTRATION} > Certificates & "
        "secrets and enter its Value as client_secret. (If a certificate is used, upload a new one "
        "there and enter it as client_certificate.)",
    ),
    700027: (
        Refused,
        "Entra ID does not accept the certificate: it is not registered with the application, or it "
        "has expired. Upload the certificate of client_certificate, without its key, in "
        f"{_APP_REGISTRATION} > Certificates & secrets > Certificates, or enter one that is listed "
        "there and still valid.",
    ),
    700024: (
        Refused,
        "The certificate or token is not valid at this time. With client_certificate the clock of "
        "this machine is wrong: have its administrator check the time service. With "
        "federated_token_file the token has expired: have the administrator of the platform see to "
        "it that the file is renewed.",
    ),
    **dict.fromkeys(
        (70021, 70025, 700211, 700212, 700213, 7002121, 7002138), (Refused, _NO_FEDERATION)
    ),
    **dict.fromkeys((700223, 700238), (Refused, _FEDERATION_DISABLED)),
    **dict.fromkeys((90038, 900382, 900432), (Misconfigured, _OTHER_CLOUD)),
    700016: (
        Misconfigured,
        "Entra ID does not know the application in this tenant. Compare client_id and tenant_id "
        f"with the Application (client) ID and Directory (tenant) ID on {_APP_REGISTRATION} > "
        "Overview.",
    ),
    7000229: (
        Refused,
        "The application has no service principal in this tenant. If tenant_id is right, have an "
        "administrator of the tenant press Grant admin consent in Azure portal > App registrations > "
        "your application > API permissions, or run New-MgServicePrincipal with the client_id as "
        "-AppId in Microsoft Graph PowerShell.",
    ),
    **dict.fromkeys((90002, 900021, 50128), (Misconfigured, _UNKNOWN_TENANT)),
    **dict.fromkeys((50194, 50059), (Misconfigured, _NO_TENANT)),
    900023: (
        Misconfigured,
        "tenant_id is neither a GUID nor a domain name of the tenant; correct it.",
    ),
    7000112: (
        Refused,
        "The application is disabled in this tenant. Enable it in Azure portal > Enterprise "
        "applications > your application > Properties.",
    ),
    53003: (
        Refused,
        "A Conditional Access policy blocks the application. See Azure portal > Microsoft Entra ID "
        "> Sign-in logs > Service principal sign-ins, and exclude the application or allow the "
        "address that the collector comes from.",
    ),
    530035: (
        Refused,
        "The tenant's security defaults block the application. Have the administrator of the tenant see "
        "Azure portal > Microsoft Entra ID > Sign-in logs > Service principal sign-ins for the reason, "
        "and replace security defaults by Conditional Access policies that let the application sign in.",
    ),
    500011: (
        Refused,
        "The tenant has no Exchange Online (the requested resource was not found in it). Check "
        "tenant_id and the tenant's licences.",
    ),
}
"""By error number (learn.microsoft.com/entra/identity-platform/reference-error-codes; those of federation
from learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity). `Misconfigured`
where only another setting helps, `Refused` where it has to be fixed elsewhere."""

_REDIRECTED = (
    "Entra ID's sign-in endpoint redirected the token request, and the credential was not sent on. A "
    "proxy or gateway on the way may want a sign-in of its own: have its administrator let requests to the "
    "sign-in host pass."
)
_NOT_ENTRA = (
    "Something on the way refuses the token request in Entra ID's place, without an error code. If it "
    "lasts, have the administrator of the proxy or the network let requests to the sign-in host pass."
)
_NUMBER = re.compile(r"[0-9]{1,9}")
_DESCRIBED = re.compile(r"\s*AADSTS([0-9]{1,9})\b")
_TRANSIENT_NUMBERS = frozenset({90006, 90012, 90024, 90033, 90055})


def failure(answer: Answer | None, result: dict[str, Any]) -> Hindered | Refused:
    """The error for an unsuccessful ``answer`` of Entra ID, from which msal made ``result``.

    A known error number decides, else the status. A refusal without any error code is not Entra ID's
    own.
    """
    if answer is not None and not result.get("error_codes"):
        result = _json_object(answer) | result
    status = answer.status if answer is not None else 0
    if 300 <= status < 400:
        return Unreachable(_REDIRECTED, f"status {status}")
    numbers = _numbers(result.get("error_codes")) or _described(result.get("error_description"))
    error = code(result.get("error")) or "no error code"
    detail = f"status {status}, {error}" + "".join(f", AADSTS{number}" for number in numbers)
    transient = status in (0, 408, 429) or status >= 500 or _TRANSIENT_NUMBERS & {*numbers}
    if transient or error == "temporarily_unavailable" or status < 300:
        advice = _advice(answer) if answer is not None else None
        return NoToken("Entra ID gives no token at the moment", detail, advice)
    if not numbers and not isinstance(result.get("error"), str):
        return Unreachable(_NOT_ENTRA, detail)
    kind, sentence = next((REFUSALS[number] for number in numbers if number in REFUSALS), _OTHER)
    return kind(sentence, detail)


def _advice(answer: Answer) -> float | None:
    """The seconds to wait that ``answer`` asks for: a date counts from the answer's own, so no clock is needed."""
    told = seconds_of(answer.headers.get("date", ""))
    if told is None and not answer.headers.get("retry-after", "").strip().isdecimal():
        return None
    return retry_after(answer, EPOCH + timedelta(seconds=told or 0.0))


def _numbers(codes: Any) -> list[int]:
    """The error numbers in ``codes``, which is a list if Entra ID follows its documentation."""
    listed = codes if isinstance(codes, list) else [codes]
    return [int(str(code)) for code in listed if _NUMBER.fullmatch(str(code))]


def _described(description: Any) -> list[int]:
    """The error number that ``description`` begins with."""
    found = _DESCRIBED.match(description) if isinstance(description, str) else None
    return [int(found[1])] if found else []


def _json_object(answer: Answer) -> dict[str, Any]:
    try:
        body = codec.decode(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
