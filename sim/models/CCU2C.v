// Lattice ECP5 CCU2C: two slots of a carry chain, each a LUT4 with a carry multiplexer behind it.
// Sum = LUT4(A,B,C,D) ^ carry; next carry = LUT4 ? carry : LUT2(A,B), LUT2 being INIT[3:0].
// INJECT1 = "YES" cuts the slot's sum and generate off from the carry. Checked against Yosys' own model in
// tests/targets/test_models.py.
module CCU2C #(
    parameter [15:0] INIT0 = 16'h0000,
    parameter [15:0] INIT1 = 16'h0000,
    parameter INJECT1_0 = "YES",
    parameter INJECT1_1 = "YES"
) (
    input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output S0, S1, COUT
);
    localparam OPEN0 = (INJECT1_0 != "YES");
    localparam OPEN1 = (INJECT1_1 != "YES");
    wire propagate0 = INIT0[{D0, C0, B0, A0}];
    wire propagate1 = INIT1[{D1, C1, B1, A1}];
    wire carry0 = propagate0 ? CIN : OPEN0 & INIT0[{2'b00, B0, A0}];
    assign S0 = propagate0 ^ (OPEN0 & CIN);
    assign S1 = propagate1 ^ (OPEN1 & carry0);
    assign COUT = propagate1 ? carry0 : OPEN1 & INIT1[{2'b00, B1, A1}];
endmodule
