"""Who may ask for what, and whose approvals it takes: one TOML file, adopted in the log."""

from hsmpub.policy.decide import Policy
from hsmpub.policy.grants import PersonalGrant, ReleaseGrant, SignGrant
from hsmpub.policy.load import load_policy

__all__ = ["PersonalGrant", "Policy", "ReleaseGrant", "SignGrant", "load_policy"]
