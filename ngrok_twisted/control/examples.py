"""
One example for each list of ``config.yaml``, for the reference page. Together they make one file that can be used.
"""

from __future__ import annotations

from typing import Mapping

#: The server's own settings that the examples below count on.
SERVER = """\
domain: example.com
listen: {https: tcp:443, http: tcp:80, ssh: tcp:22}
tcp: {host: tcp.example.com, interface: 0.0.0.0, ports: 20000-29999}
state: /var/lib/ngrok
"""

#: What each list is for, and an item or two of it, by its place.
EXAMPLES: Mapping[str, tuple[str, str]] = {
    "api_keys": (
        "Who may use the management API.",
        "api_keys:\n- {name: terraform, token: env:API_KEY}\n",
    ),
    "credentials": (
        "Authtokens: what agents and SDKs connect with.",
        'credentials:\n- {name: build, token: file:agent.token, acl: ["bind:*.example.com"]}\n',
    ),
    "ssh_credentials": (
        "SSH keys that may connect, beside those in `ssh.authorized_keys`.",
        'ssh_credentials:\n- {public_key: file:me.pub, acl: ["bind:app.example.com"]}\n',
    ),
    "service_users": (
        "Identities of programs, which API keys and credentials may belong to.",
        "service_users:\n- {name: ci}\n",
    ),
    "ssh_certificate_authorities": (
        "Authorities that sign certificates of SSH hosts and users.",
        "ssh_certificate_authorities:\n- {name: ssh-ca, private_key: file:ssh-ca}\n",
    ),
    "reserved_domains": (
        "Names that belong to an account.",
        'reserved_domains:\n- {domain: "*.example.com"}\n- {domain: shop.example.org, certificate_id: shop}\n',
    ),
    "reserved_addrs": (
        "Public TCP addresses that belong to an account.",
        'reserved_addrs:\n- {name: db, addr: "tcp.example.com:20010"}\n- {name: mail}  # its port follows from the name\n',
    ),
    "tls_certificates": (
        "Certificates from elsewhere. They are shown where a reserved domain names them.",
        "tls_certificates:\n- {name: shop, certificate_pem: file:shop.pem, private_key_pem: file:shop.key}\n",
    ),
    "certificate_authorities": (
        "Authorities whose certificates visitors may show (mutual TLS).",
        "certificate_authorities:\n- {name: staff, ca_pem: file:staff-ca.pem}\n",
    ),
    "ip_policies": (
        "Which addresses may come in.",
        "ip_policies:\n- name: office\n  rules:\n  - {cidr: 192.0.2.0/24, action: allow}\n"
        "  - {cidr: 192.0.2.7/32, action: deny}\n",
    ),
    "ip_restrictions": (
        "IP policies for a whole account.",
        "ip_restrictions:\n- {type: api, ip_policy_ids: [office], enforced: false}\n",
    ),
    "agent_ingresses": (
        "Names of one's own that agents connect to.",
        "agent_ingresses:\n- {domain: agents.example.org}\n",
    ),
    "vaults": (
        "Named places for secrets.",
        "vaults:\n- {name: prod}\n",
    ),
    "vault_secrets": (
        "Secrets in vaults.",
        "vault_secrets:\n- {vault_id: prod, name: db/password, value: env:DB_PASSWORD}\n",
    ),
    "backends.tunnel_group": (
        "Tunnels that carry these labels (`ssh … tunnel --label app=web`).",
        "backends:\n  tunnel_group:\n  - {name: web, labels: {app: web}}\n  - {name: canary, labels: {app: canary}}\n",
    ),
    "backends.http_response": (
        "The same answer for everybody.",
        "backends:\n  http_response:\n"
        '  - {name: sorry, status_code: 503, headers: {content-type: text/plain}, body: "back soon\\n"}\n',
    ),
    "backends.failover": (
        "Backends in order: the next one is asked when the one before has nobody who answers.",
        "backends:\n  failover:\n  - {name: main, backends: [web, sorry]}\n",
    ),
    "backends.weighted": (
        "Backends that share the visitors.",
        "backends:\n  weighted:\n  - {name: split, backends: {web: 90, canary: 10}}\n",
    ),
    "backends.static": (
        "A service that the server reaches by itself, without a tunnel.",
        'backends:\n  static:\n  - {name: legacy, address: "10.0.0.7:8080"}\n',
    ),
    "edges.https": (
        "Names whose requests are routed by their paths.",
        'edges:\n  https:\n  - name: shop\n    hostports: ["shop.example.org:443"]\n    routes:\n'
        "    - {match_type: exact_path, match: /health, backend: {backend_id: sorry}}\n"
        "    - {match: /, backend: {backend_id: main}}\n",
    ),
    "edges.tls": (
        "Names whose connections go to one backend.",
        'edges:\n  tls:\n  - {hostports: ["db.example.com:443"], backend: {backend_id: web}}\n',
    ),
    "edges.tcp": (
        "Addresses whose connections go to one backend.",
        'edges:\n  tcp:\n  - {hostports: ["tcp.example.com:20010"], backend: {backend_id: web}}\n',
    ),
    "endpoints": (
        "Cloud endpoints: a URL and a traffic policy that answers.",
        'endpoints:\n- {url: "https://hello.example.com", traffic_policy: file:policy.yaml}\n',
    ),
    "event_destinations": (
        "Where events are sent.",
        "event_destinations:\n- name: logs\n  target: {cloudwatch_logs: {log_group_arn: "
        '"arn:aws:logs:eu-central-1:123456789012:log-group:ngrok", auth: {creds: {aws_access_key_id: AKIAEXAMPLE, '
        "aws_secret_access_key: env:AWS_SECRET}}}}\n",
    ),
    "event_subscriptions": (
        "Which events are sent, and where to.",
        "event_subscriptions:\n- {sources: [{type: ip_policy_created.v0}], destination_ids: [logs]}\n",
    ),
}
