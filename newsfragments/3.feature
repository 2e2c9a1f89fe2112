The management API: ngrok's own clients (Python, JavaScript, Go, Terraform) drive the server with nothing changed but their base
URL. Every record can be made over it or declared in ``config.yaml``, with the same fields: domains, addresses, certificates,
edges with routes, modules and backends, cloud endpoints with traffic policies, keys, IP policies and restrictions, SSH
certificates, vaults, events. An OpenAPI document is at ``/openapi.json``.
