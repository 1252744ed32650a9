"""Deployment: what exists is data (`specs`, `rallyuxr.store.tables`), `plan` compares, `resources` do.

The same program serves AWS and the embedded cloud; only `AWS_ENDPOINT_URL` differs.
"""
