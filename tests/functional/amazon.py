"""
`Amazon`: Amazon's services as moto plays them, with users, keys and signatures that are checked; asked with Amazon's own SDK.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.functional.ports import free_port
from tests.functional.tools import peer, tool
from tests.functional.waiting import wait_until

#: Seconds: moto imports half of Amazon.
START_TIMEOUT = 60

ACCOUNT = "123456789012"

_ALLOWED = ["firehose:*", "kinesis:*", "logs:*", "s3:*", "sts:*"]


class Amazon:
    """
    :ivar url: where it is.
    :ivar key: the id and the secret of a user who may write events.
    """

    def __init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.key = ("tests", "tests")
        self._log = tempfile.TemporaryFile()
        self._server = subprocess.Popen(
            [tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)], stdout=self._log, stderr=self._log
        )
        wait_until(self._answers, START_TIMEOUT, "moto")
        self._sdk = subprocess.Popen(
            [tool("python"), peer("amazon.py"), self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def close(self) -> None:
        """End both processes."""
        for process in (self._sdk, self._server):
            process.kill()
            process.communicate()
        self._log.close()

    def ask(self, service: str, call: str, **given: Any) -> Any:
        """The result of a call of the SDK, such as ``ask("kinesis", "list_streams")``."""
        assert self._sdk.stdin is not None and self._sdk.stdout is not None
        asked = {"service": service, "call": call, "given": given, "key": self.key}
        self._sdk.stdin.write(json.dumps(asked).encode() + b"\n")
        self._sdk.stdin.flush()
        answer = json.loads(self._sdk.stdout.readline())
        assert "result" in answer, f"{service} {call}: {answer}"
        return answer["result"]

    def lock(self) -> None:
        """Make a user, who may write events, and from now on check every request's signature and rights."""
        self.ask("iam", "create_user", UserName="edge")
        made = self.ask("iam", "create_access_key", UserName="edge")["AccessKey"]
        statement = {"Effect": "Allow", "Action": _ALLOWED, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.ask("iam", "put_user_policy", UserName="edge", PolicyName="events", PolicyDocument=policy)
        self.key = (made["AccessKeyId"], made["SecretAccessKey"])
        headers = {"content-type": "text/plain"}
        urlopen(Request(f"{self.url}/moto-api/reset-auth", data=b"0", headers=headers), timeout=10).close()

    def role(self, name: str) -> str:
        """The ARN of a new role that may write events."""
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
        trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn: str = self.ask("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": _ALLOWED, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.ask("iam", "put_role_policy", RoleName=name, PolicyName="events", PolicyDocument=policy)
        return arn

    def _answers(self) -> bool:
        try:
            urlopen(f"{self.url}/moto-api/", timeout=2).close()
        except (URLError, OSError):
            return False
        return True
