"""Who asks: identity tokens of CI jobs, verified over their exact bytes without network."""

from hsmpub.identity.ci import CiIdentity
from hsmpub.identity.jwks import IssuerKey, IssuerKeySet, parse_jwks
from hsmpub.identity.token import verify_token

__all__ = ["CiIdentity", "IssuerKey", "IssuerKeySet", "parse_jwks", "verify_token"]
