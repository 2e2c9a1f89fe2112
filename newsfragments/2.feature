The edge runs: `ssh -R` publishes a local service under a public HTTPS, HTTP, TLS or TCP address, on embedded defaults or
with a `config.yaml`.
