"""
Visits an edge with reqwest, which is Rust's hyper: ``hyper_client.py CA PORT NAME``. Prints what it saw as JSON.
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

from pyreqwest.client import SyncClientBuilder

ca, port, name = sys.argv[1:]
pem = open(ca, "rb").read()
client = (
    SyncClientBuilder()
    .add_root_certificate_pem(pem)
    .no_proxy()
    .resolve(name, "127.0.0.1", int(port))
    .https_only(True)
    .http2(True)
    .build()
)
base = f"https://{name}:{port}"


def get(number):
    answer = client.get(f"{base}/echo?{number}").build().send()
    return answer.status, json.loads(answer.text())["target"] == f"/echo?{number}"


with client, ThreadPoolExecutor(20) as threads:
    first = client.get(f"{base}/").build().send()
    seen = {"version": str(first.version), "status": first.status}
    seen["many"] = all(good and status == 200 for status, good in threads.map(get, range(300)))
    body = bytes(range(256)) * 16 * 1024
    uploaded = json.loads(client.post(f"{base}/echo").body_bytes(body).build().send().text())
    seen["upload"] = uploaded["sha1"] == hashlib.sha1(body).hexdigest()
    seen["download"] = hashlib.sha1(bytes(client.get(f"{base}/size/5000000").build().send().bytes())).hexdigest()
    seen["early"] = client.post(f"{base}/early").body_bytes(bytes(3_000_000)).build().send().status
    seen["missing"] = client.get(f"{base}/status/404").build().send().status
print(json.dumps(seen))
