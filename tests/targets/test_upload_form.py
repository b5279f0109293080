"""The form of an upload: core metadata repeated, the file streamed, and never whole when it was changed."""

from __future__ import annotations

import email.parser
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from hsmpub.targets.distribution import DistributionMalformed, form_fields, project_of
from hsmpub.targets.multipart import CHUNK_BYTES, FileForm, check_stored
from hsmpub.targets.target import ArtifactChanged

METADATA = """Metadata-Version: 2.4
Name: Acme.SDK
Version: 1.0
Summary: Does things
Classifier: A
Classifier: B
Project-URL: Home, https://example.org
Requires-Dist: attrs>=1; extra == "x"
Weird"Header: no

The text.
"""


def wheel(path: Path, metadata: str = METADATA, name: str = "acme_sdk-1.0.dist-info/METADATA") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, metadata)
    return path


def test_repeats_the_metadata_under_the_registrys_names(tmp_path: Path) -> None:
    fields = form_fields(wheel(tmp_path / "w"), "acme_sdk-1.0-py3-none-any.whl", "0" * 64)
    assert fields[:5] == [
        (":action", "file_upload"), ("protocol_version", "1"), ("filetype", "bdist_wheel"), ("pyversion", "py3"),
        ("sha256_digest", "0" * 64),
    ]  # fmt: skip
    rest = fields[5:]
    assert ("metadata_version", "2.4") in rest
    assert [value for name, value in rest if name == "classifiers"] == ["A", "B"]
    assert ("project_urls", "Home, https://example.org") in rest
    assert ("description", "The text.\n") in rest
    assert not any('"' in name for name, _ in rest)


@pytest.mark.parametrize(
    ("name", "metadata"),
    [("acme_sdk-2.0-py3-none-any.whl", METADATA), ("other-1.0-py3-none-any.whl", METADATA),
     ("acme_sdk-1.0-py3-none-any.whl", "Name: x\n"), ("acme_sdk-1.0.exe", METADATA), ("acme_sdk.whl", METADATA),
     ("acme_sdk-1.0.tar.gz", METADATA)],
)  # fmt: skip
def test_refuses_a_file_whose_name_and_inside_differ(name: str, metadata: str, tmp_path: Path) -> None:
    with pytest.raises(DistributionMalformed):
        form_fields(wheel(tmp_path / "w", metadata), name, "0" * 64)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"x" * 1000])
@pytest.mark.parametrize("name", ["acme_sdk-1.0-py3-none-any.whl", "acme_sdk-1.0.tar.gz"])
def test_refuses_what_is_no_archive(data: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(DistributionMalformed):
        form_fields(tmp_path / "f", name, "0" * 64)


def test_refuses_metadata_that_unpacks_without_end(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("acme_sdk-1.0.dist-info/METADATA", b"\0" * 50_000_000)
    (tmp_path / "bomb").write_bytes(buffer.getvalue())
    with pytest.raises(DistributionMalformed):
        form_fields(tmp_path / "bomb", "acme_sdk-1.0-py3-none-any.whl", "0" * 64)


def test_the_project_is_the_normal_name_in_the_file_name() -> None:
    assert project_of("acme_sdk-1.0-py3-none-any.whl") == project_of("acme-sdk-1.0.tar.gz") == "acme-sdk"


def form(path: Path, data: bytes) -> FileForm:
    return FileForm([("name", "sdk"), ("text", "two\nlines")], field="content", filename="f.bin", path=path,
                    sha256=hashlib.sha256(data).hexdigest(), size=len(data))  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_streams_exactly_the_length_that_it_announced(size: int, tmp_path: Path) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    (tmp_path / "f").write_bytes(data)
    made = form(tmp_path / "f", data)
    body = b"".join(made.chunks())
    assert len(body) == made.length
    message = email.parser.BytesParser().parsebytes(f"Content-Type: {made.content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    assert data in body
    assert parts[2].get_filename() == "f.bin"


@pytest.mark.parametrize("changed", [b"b" * 600_000, b"a" * 599_999, b"a" * 600_001, b"a" * 599_999 + b"b"])
def test_a_changed_file_never_leaves_whole(changed: bytes, tmp_path: Path) -> None:
    approved = b"a" * 600_000
    (tmp_path / "f").write_bytes(changed)
    made = form(tmp_path / "f", approved)
    sent: list[int] = []
    with pytest.raises(ArtifactChanged):
        sent.extend(map(len, made.chunks()))
    assert sum(sent) < made.length
    with pytest.raises(ArtifactChanged):
        check_stored(tmp_path / "f", hashlib.sha256(approved).hexdigest(), len(approved))


def test_a_missing_file_is_a_changed_one(tmp_path: Path) -> None:
    with pytest.raises(ArtifactChanged):
        b"".join(form(tmp_path / "none", b"x").chunks())
