"""SSH: keys and certificates, and SSHSIG, the signature of `ssh-keygen -Y sign`."""
