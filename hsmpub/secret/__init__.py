"""Secrets in memory: pages that leave no copy behind, and boxes in which secrets travel.

`SecretPage` and `wipe` are in `hsmpub.secret.page`, `seal_box` and `open_box` in `hsmpub.secret.box`.
"""
