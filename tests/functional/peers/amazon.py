"""
Amazon's own Python SDK, asked line by line: JSON with ``service``, ``call``, ``given`` and ``key`` goes in; JSON with the
result, or the name of the error, comes out.

Its first argument is where Amazon is.
"""

import base64
import json
import sys

import boto3
from botocore.exceptions import ClientError


def plain(value):
    """JSON of what the SDK gives: files as text, bytes as Base64, times as text."""
    if hasattr(value, "read"):
        return value.read().decode()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


for line in sys.stdin:
    asked = json.loads(line)
    id, secret = asked["key"]
    client = boto3.client(
        asked["service"],
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id=id,
        aws_secret_access_key=secret,
    )
    try:
        answer = {"result": getattr(client, asked["call"])(**asked["given"])}
    except ClientError as error:
        answer = {"error": error.response["Error"]["Code"]}
    print(json.dumps(answer, default=plain), flush=True)
