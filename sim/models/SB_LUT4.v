// Lattice iCE40 SB_LUT4. Checked against Yosys' own model in tests/sim/test_board_cells.py.
module SB_LUT4 #(parameter [15:0] LUT_INIT = 0) (
    output O,
    input I0, I1, I2, I3
);
    assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
