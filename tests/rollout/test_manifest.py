"""Only a version whose every byte is as published reaches an engine."""

import hashlib
import json
from pathlib import Path

import pytest

from plaudit.errors import Corrupt
from plaudit.schemas.policy import MANIFEST_NAME, PolicyAnnouncement
from plaudit_rollout.policy.manifest import verify

WEIGHTS = "model.safetensors"


def changed(announcement: PolicyAnnouncement, **values: object) -> PolicyAnnouncement:
    return announcement.model_copy(update=values)


def rewrite(announcement: PolicyAnnouncement, change) -> PolicyAnnouncement:
    """The announcement of a manifest that was changed before it was announced."""
    path = Path(announcement.path) / MANIFEST_NAME
    document = json.loads(path.read_text())
    change(document)
    raw = json.dumps(document).encode()
    path.write_bytes(raw)
    return changed(announcement, manifest_sha256=hashlib.sha256(raw).hexdigest())


def test_a_version_as_published_is_accepted(publish):
    assert verify(publish(3), None).version == 3


def test_a_version_without_its_manifest_is_half_written(publish):
    announcement = publish(1)
    (Path(announcement.path) / MANIFEST_NAME).unlink()
    with pytest.raises(Corrupt, match="half-written"):
        verify(announcement, None)


def test_a_missing_directory_is_named(publish):
    with pytest.raises(Corrupt, match="/nowhere/v1 is no directory"):
        verify(changed(publish(1), path="/nowhere/v1"), None)


def test_a_relative_path_is_refused(publish):
    with pytest.raises(Corrupt, match="not absolute"):
        verify(changed(publish(1), path="v1"), None)


def test_one_flipped_bit_in_the_weights_is_found(publish):
    announcement = publish(1)
    path = Path(announcement.path) / WEIGHTS
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Corrupt, match="does not match its sha256"):
        verify(announcement, None)


def test_truncated_weights_are_found_by_size(publish):
    announcement = publish(1)
    path = Path(announcement.path) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Corrupt, match="bytes, not"):
        verify(announcement, None)


def test_a_missing_file_is_found(publish):
    announcement = publish(1)
    (Path(announcement.path) / WEIGHTS).unlink()
    with pytest.raises(Corrupt, match="cannot be read"):
        verify(announcement, None)


def test_another_manifest_than_the_announced_one_is_refused(publish):
    announcement = publish(1)
    path = Path(announcement.path) / MANIFEST_NAME
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Corrupt, match="not the manifest that was announced"):
        verify(announcement, None)


@pytest.mark.parametrize("field", ["run_id", "version"])
def test_the_manifest_of_another_version_is_refused(publish, field):
    announcement = rewrite(
        publish(1), lambda document: document.update({field: "other" if field == "run_id" else 9})
    )
    with pytest.raises(Corrupt, match="not 'run' version 1"):
        verify(announcement, None)


def test_a_manifest_with_unknown_keys_is_refused(publish):
    announcement = rewrite(publish(1), lambda document: document.update(extra=1))
    with pytest.raises(Corrupt, match="is no manifest"):
        verify(announcement, None)


def test_weights_that_the_manifest_does_not_list_are_refused(publish):
    announcement = publish(1)
    (Path(announcement.path) / "more.safetensors").write_bytes(b"x")
    with pytest.raises(Corrupt, match=r"does not list.*more\.safetensors"):
        verify(announcement, None)


@pytest.mark.parametrize("name", ["../v1.safetensors", "a/b.safetensors", "/etc/passwd", ".."])
def test_a_file_name_that_leads_elsewhere_is_refused(publish, name):
    announcement = rewrite(
        publish(1), lambda document: document["files"].update({name: document["files"][WEIGHTS]})
    )
    with pytest.raises(Corrupt, match="leads out of the directory"):
        verify(announcement, None)


def test_a_link_that_leads_out_of_the_directory_is_refused(publish, tmp_path):
    announcement = publish(1)
    weights = Path(announcement.path) / WEIGHTS
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="leads out of the directory"):
        verify(announcement, None)


def test_pickled_weights_are_never_loaded(publish):
    announcement = publish(1)
    directory = Path(announcement.path)
    (directory / WEIGHTS).rename(directory / "model.bin")
    announcement = rewrite(
        announcement,
        lambda document: document.update(files={"model.bin": document["files"][WEIGHTS]}),
    )
    with pytest.raises(Corrupt, match="kind that is not loaded"):
        verify(announcement, None)


def test_versions_outside_of_policy_root_are_refused(publish, tmp_path):
    announcement = publish(1)
    assert verify(announcement, tmp_path).version == 1
    with pytest.raises(Corrupt, match="not below policy_root"):
        verify(announcement, tmp_path / "elsewhere")
