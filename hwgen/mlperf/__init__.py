"""MLPerf Tiny: a board as the device under test of the EEMBC runner, and a runner of our own."""
