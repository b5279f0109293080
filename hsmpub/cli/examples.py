"""Examples under `--help`, by command. Tests type each of them as far as options and arguments go."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "serve": ("hsmpub serve --home home",),
    "status": ("hsmpub status", "hsmpub status --ready", "hsmpub status --json"),
    "unseal": (
        "hsmpub unseal --holder holder-1 --share holder-1.age --identity ~/.age/key.txt",
        "hsmpub unseal --holder holder-1 --share holder-1.age --identity key.txt --for 8h --project sdk",
        "gpg --decrypt holder-1.gpg | hsmpub unseal --holder holder-1 --share -",
    ),
    "seal": ("hsmpub seal --person security-officer --key ~/.ssh/id_ed25519_sk --reason 'stolen laptop'",),
    "sign": (
        "hsmpub sign app.jar setup.exe tool.deb --project desktop",
        "hsmpub sign dist/* --project nightly --format sshsig --format openpgp",
        "hsmpub sign setup.exe --project desktop --timestamps timestamps.toml",
        "hsmpub sign dists/stable/Release --project apt",
        "hsmpub sign site.tar --project website --format sshsig --token-command 'print-token {audience}'",
    ),
    "verify": (
        "hsmpub verify dist/* --trust trust.json",
        "hsmpub verify sdk-1.0.receipt.json dist/* signatures/*",
        "hsmpub verify setup.exe --timestamp-ca tsa-root.pem --require-timestamp",
    ),
    "approve": (
        "hsmpub approve 0123456789abcdef --person release-manager --key ~/.ssh/id_ed25519_sk",
        "hsmpub approve 0123456789abcdef --person release-manager --key id_ed25519.pub --agent",
    ),
    "decline": ("hsmpub decline 0123456789abcdef --person release-manager --key ~/.ssh/id_ed25519_sk",),
    "release submit": ('hsmpub release submit --project sdk --version 1.0 --commit "$(git rev-parse HEAD)" dist/*',),
    "release run": (
        'hsmpub release run --project sdk --version 1.0 --commit "$SHA" --timeout 3000 --to signatures dist/*',
        "hsmpub release run --request 0123456789abcdef --to signatures",
    ),
    "release wait": ("hsmpub release wait 0123456789abcdef --timeout 600",),
    "release fetch": ("hsmpub release fetch 0123456789abcdef --to signatures",),
    "jwt": (
        "TOKEN=$(hsmpub jwt --project storage)",
        "hsmpub jwt --project storage --claim scope=read",
        "hsmpub jwt claims.json --project api --receipt token.receipt.json",
    ),
    "agent": (
        "hsmpub agent --project commits --socket ~/hsmpub.sock &",
        "export SSH_AUTH_SOCK=~/hsmpub.sock",
        "hsmpub key show KEY --form ssh > key.pub",
        "git -c gpg.format=ssh -c user.signingkey=key.pub commit -S",
    ),
    "gpg": ("git config gpg.program hsmpub-gpg", "hsmpub-gpg -bsa -u FINGERPRINT < file > file.asc"),
    "certificate issue": ("hsmpub certificate issue server.csr --project pki",),
    "certificate revoke": (
        "hsmpub certificate revoke 8F3A61 --reason keyCompromise --project revocations --output ca.crl",
    ),
    "certificate crl": ("hsmpub certificate crl --project revocations --output ca.crl",),
    "oci sign": (
        "hsmpub oci sign oci://registry.example/acme/web:v1.4.0 --project web --recursive",
        "hsmpub oci sign oci://registry.example/acme/web:v1.4.0 --project web --format oci-bundle",
    ),
    "oci submit": ('hsmpub oci submit oci://registry.example/acme/web:v1 --project web --version 1 --commit "$SHA"',),
    "oci verify": (
        "hsmpub oci verify oci://registry.example/acme/web:v1.4.0",
        "hsmpub oci verify oci://registry.example/acme/web:v1.4.0 --format slsa-provenance",
    ),
    "oci attach": ("hsmpub oci attach 0123456789abcdef",),
    "tuf init": ("hsmpub tuf init /srv/tuf",),
    "tuf targets": ("hsmpub tuf targets /srv/tuf dist/*", "hsmpub tuf targets /srv/tuf --remove old.whl"),
    "tuf refresh": ("hsmpub tuf refresh /srv/tuf", "hsmpub tuf refresh /srv/tuf --within 48"),
    "key show": (
        "hsmpub key show release --form openpgp | gpg --import",
        "hsmpub key show KEY --form ssh > key.pub",
        "hsmpub key show ca --form chain > ca.pem",
    ),
    "trust update": ("hsmpub trust update --trust trust.json",),
    "backup-key": (
        'age -r "$(hsmpub backup-key --form age)" -o db.age db.dump',
        "hsmpub backup-key --form openpgp | gpg --import",
    ),
    "decrypt": (
        "hsmpub decrypt db.age",
        "hsmpub decrypt db.age --to age1... --reason 'lost disk' --person sdk-lead --key ~/.ssh/id_ed25519_sk",
        "hsmpub decrypt db.age --request REQUEST --output new.age --person sdk-lead --key ~/.ssh/id_ed25519_sk",
    ),
    "credential seal": (
        "pass show pypi/token | hsmpub credential seal pypi-token --person sdk-lead --key ~/.ssh/id_ed25519_sk",
    ),
    "policy show": ("hsmpub policy show > policy.toml", "hsmpub policy show --at 1234"),
    "policy check": ("hsmpub policy check policy.toml --roster roster.toml --trust trust.json",),
    "policy adopt": ("hsmpub policy adopt policy.toml --person security-officer --key ~/.ssh/id_ed25519_sk",),
    "roster show": ("hsmpub roster show > roster.toml",),
}
