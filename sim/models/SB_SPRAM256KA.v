// iCE40 UltraPlus SB_SPRAM256KA: 16384 words of 16 bits, one port, a nibble's write enable each. A write leaves the
// data output undefined: x, or in a simulator that knows none, the complement of what was written. Without chip
// select everything stays. SLEEP and POWEROFF (low) pull the output low, STANDBY leaves it undefined, and power off
// loses the contents.
// Source: Lattice FPGA-TN-02022 (TN1314), iCE40 SPRAM usage guide. Compared with Yosys' own model in
// tests/sim/test_spram.py.
/* verilator lint_off MULTIDRIVEN */
module SB_SPRAM256KA (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] words [0:16383];
    wire [15:0] mask = {{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};
`ifdef VERILATOR
    wire [15:0] undefined = ~DATAIN;
`else
    wire [15:0] undefined = 16'bx;
`endif
    wire off = SLEEP || !POWEROFF;
    always @(posedge CLOCK or posedge off)
        if (off) DATAOUT <= 16'b0;
        else if (STANDBY) DATAOUT <= undefined;
        else if (CHIPSELECT && WREN) begin
            words[ADDRESS] <= (words[ADDRESS] & ~mask) | (DATAIN & mask);
            DATAOUT <= undefined;
        end else if (CHIPSELECT) DATAOUT <= words[ADDRESS];

    integer at;
    always @(negedge POWEROFF)
        for (at = 0; at < 16384; at = at + 1) words[at] = undefined;
endmodule
