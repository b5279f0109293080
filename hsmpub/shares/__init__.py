"""Shares of a quorum's secret: records, SLIP-39, the child processes that split and combine.

Two quorums: *unseal* (its secret opens the box with the token's PIN) and *recovery* (its secret is the private key
of the backups). A secret lives only in short-lived child processes; what the keeper and the ceremony hold are
records, sealed boxes and, in a SecretPage, the PIN.
"""
