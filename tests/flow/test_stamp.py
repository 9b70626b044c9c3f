"""Stamps: fresh only while inputs, tools and outputs are the same."""

from __future__ import annotations

import pytest

from hwgen.flow import stamp


@pytest.fixture
def done(tmp_path):
    source, output = tmp_path / "in.v", tmp_path / "out.json"
    source.write_text("module m; endmodule")
    output.write_text("{}")
    key = stamp.key({"tool": "1.0"}, [source])
    stamp.write(tmp_path, "s", key, ["out.json"], {"x": 1})
    return tmp_path, source, output, key


def test_fresh(done):
    folder, source, _, key = done
    assert stamp.key({"tool": "1.0"}, [source]) == key
    assert stamp.read(folder, "s", key) == {"x": 1}


def test_changed_input_or_tool_changes_the_key(done):
    _, source, _, key = done
    assert stamp.key({"tool": "1.1"}, [source]) != key
    source.write_text("module n; endmodule")
    assert stamp.key({"tool": "1.0"}, [source]) != key


def test_other_key_missing_or_edited_output_is_stale(done):
    folder, _, output, key = done
    assert stamp.read(folder, "s", "0" * 64) is None
    assert stamp.read(folder, "other", key) is None
    output.write_text("{ }")
    assert stamp.read(folder, "s", key) is None
    output.unlink()
    assert stamp.read(folder, "s", key) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 1, "key": 3}', "\udcff"])
def test_broken_stamp_is_stale(done, text):
    folder, _, _, key = done
    (folder / ".s.stamp").write_bytes(text.encode(errors="surrogateescape"))
    assert stamp.read(folder, "s", key) is None


def test_clear(done):
    folder, _, output, key = done
    stamp.clear(folder, "s", ["out.json", "never-there"])
    assert stamp.read(folder, "s", key) is None and not output.exists()
