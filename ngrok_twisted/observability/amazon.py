"""
`Amazon`: signed calls to Amazon's JSON APIs, with a key that was given or with that of an assumed role.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Mapping
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from ngrok_twisted.observability.destination import (
    DestinationBusy,
    DestinationContext,
    DestinationRefused,
    clean,
    judge,
)
from ngrok_twisted.observability.posting import Posted
from ngrok_twisted.observability.sigv4 import AWSKey, signed
from ngrok_twisted.records.event_destination import AWSAuth, AWSRole

SECONDS = 1
MINUTE = 60 * SECONDS

# A request that takes its time must still arrive while the key is good.
EXPIRY_MARGIN = 5 * MINUTE

#: Variables with the server's own key (AWS documentation, "Environment variables").
KEY_ID, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"

NO_KEY = (
    "this server has no Amazon key of its own, which it needs to assume a role: its operator sets "
    f"{KEY_ID} and {SECRET}, or the destination gets creds instead of a role"
)

SESSION_NAME = "ngrok_twisted"

#: Where names end, by the partition in an ARN; other partitions use the first.
_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}

#: What a temporary key that ended too early is answered with.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})

#: Errors with status 400 that pass by themselves.
_PASSING = _EXPIRED | frozenset(
    {
        "LimitExceededException",
        "OperationAbortedException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
    }
)

_TRUST = "; its trust policy must let this server's user assume it, with the external id "

_STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


class AmazonError(DestinationRefused):
    """
    Amazon refused a call.

    :ivar name: the error's name, such as ``ResourceNotFoundException``.
    """

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name
        super().__init__(sentence)


class Amazon:
    """
    The API that one resource belongs to.

    :ivar arn: of the resource.
    :ivar resource: the last part of the ARN, such as ``stream/events``.
    """

    def __init__(self, auth: AWSAuth, arn: str, version: str, variable: str, context: DestinationContext) -> None:
        """
        :param auth: who calls.
        :param arn: the ARN of the resource.
        :param version: what stands before the dot in ``X-Amz-Target``, such as ``Kinesis_20131202``.
        :param variable: the end of the environment variable with another address, such as ``KINESIS``.
        :raises DestinationRefused: a role is to be assumed, and this server has no key.
        """
        _, partition, self._service, self._region, _, self.resource = arn.split(":", 5)
        self.arn = arn
        self._auth = auth
        self._version = version
        self._context = context
        self._suffix = _SUFFIXES.get(partition, _SUFFIXES["aws"])
        self._url = self._base_url(self._service, variable)
        self._role_key: AWSKey | None = None
        self._role_key_ends = 0.0
        if auth.role is not None:
            self._own_key()

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """
        :return: the result.
        :raises DestinationBusy: it may be tried again.
        :raises AmazonError: it is of no use to.
        """
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{self._version}.{operation}"}
        body = json.dumps(arguments, separators=(",", ":")).encode("ascii")
        answer = await self._post(self._url, self._service, await self._key(), headers, body)
        if answer.status == 200:
            return _json(answer)
        told = _json(answer)
        self._judge(answer, str(told.get("__type", "")), str(told.get("message") or told.get("Message") or ""))
        raise DestinationBusy(f"it answered {answer.status} to {operation}")

    def _judge(self, answer: Posted, name: str, message: str, hint: str = "") -> None:
        """
        :raises DestinationBusy: it may be tried again.
        :raises AmazonError: it is of no use to.
        """
        name = clean(name.rpartition("#")[2].partition(":")[0])
        said = ": ".join(filter(None, (name, message))) or answer.text
        if name in _EXPIRED:
            self._role_key = None
        if name in _PASSING:
            raise DestinationBusy(f"it answered {answer.status}: {clean(said, self._auth)}")
        try:
            judge(answer.status, said, self._auth)
        except DestinationRefused as refused:
            raise AmazonError(name, refused.sentence + hint) from None

    async def _post(self, url: str, service: str, key: AWSKey, headers: Mapping[str, str], body: bytes) -> Posted:
        host = urlsplit(url).netloc
        complete = signed(key, self._region, service, host, headers, body, self._context.now())
        answer: Posted = await self._context.poster.post(url + "/", complete, body)
        return answer

    def _base_url(self, service: str, variable: str) -> str:
        default = f"https://{service}.{self._region}.{self._suffix}"
        return self._context.base_url(default, f"AWS_ENDPOINT_URL_{variable}", "AWS_ENDPOINT_URL")

    # -- keys ----------------------------------------------------------------------------------------------------------

    async def _key(self) -> AWSKey:
        if self._auth.creds is not None:
            return AWSKey(id=self._auth.creds.aws_access_key_id, secret=self._auth.creds.aws_secret_access_key or "")
        if self._role_key is None or self._context.now() > self._role_key_ends - EXPIRY_MARGIN:
            assert self._auth.role is not None
            self._role_key, self._role_key_ends = await self._assume(self._auth.role)
        return self._role_key

    def _own_key(self) -> AWSKey:
        environment = self._context.environment
        id, secret = environment.get(KEY_ID, ""), environment.get(SECRET, "")
        if not id or not secret:
            raise DestinationRefused(NO_KEY)
        return AWSKey(id=id, secret=secret, token=environment.get(TOKEN, ""))

    async def _assume(self, role: AWSRole) -> tuple[AWSKey, float]:
        """A key of the role, and when it ends (AWS STS API reference, "AssumeRole")."""
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": role.role_arn,
            "RoleSessionName": SESSION_NAME,
            "ExternalId": self._context.account_id,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        url = self._base_url("sts", "STS")
        answer = await self._post(url, "sts", self._own_key(), headers, urlencode(form).encode("ascii"))
        try:
            told = ElementTree.fromstring(answer.body)
            if answer.status == 200:
                return _role_key(told)
        except (ElementTree.ParseError, ValueError):
            raise DestinationBusy(f"Amazon STS gave no key but {answer.status}: {clean(answer.text)}") from None
        error = told.find(f".//{_STS}Error")
        name = "" if error is None else error.findtext(f"{_STS}Code", "")
        message = "" if error is None else error.findtext(f"{_STS}Message", "")
        hint = _TRUST + self._context.account_id if name == "AccessDenied" else ""
        self._judge(answer, name, f"the role cannot be assumed: {message}", hint)
        raise DestinationBusy(f"Amazon STS answered {answer.status}")


def _role_key(told: ElementTree.Element) -> tuple[AWSKey, float]:
    """
    :raises ValueError: there is none in it.
    """
    found = told.find(f".//{_STS}Credentials")
    values = {name: "" if found is None else found.findtext(_STS + name, "") for name in _KEY_PARTS}
    if not all(values.values()):
        raise ValueError("a part of the key is missing")
    key = AWSKey(id=values["AccessKeyId"], secret=values["SecretAccessKey"], token=values["SessionToken"])
    return key, datetime.fromisoformat(values["Expiration"]).timestamp()


_KEY_PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


def _json(answer: Posted) -> dict[str, Any]:
    """The object in an answer; an empty one where there is none."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
