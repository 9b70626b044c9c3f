"""What dataflows cost: layers as they see them, accesses by memory level, picojoules; begin at compare.py."""
