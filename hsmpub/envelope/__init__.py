"""The headers of encrypted files: who can open them, and the same file key for somebody else.

A header is what stands before the encrypted content: in age the stanzas, in OpenPGP the session key packets, in CMS
the recipient infos. `hsmpub decrypt` sends it alone, gets another one back, and joins it to the untouched content.
"""
