// Lattice ECP5 CCU2C: two slots of a carry chain, each a LUT4 with a carry multiplexer behind it.
// Sum = LUT4(A,B,C,D) ^ carry; next carry = LUT4 ? carry : LUT2(A,B), LUT2 being INIT[3:0].
// INJECT1 = "YES" cuts the slot's sum and generate off from the carry. Checked against Yosys' own model in
// tests/targets/test_models.py.
// The tables are quartered into gates chosen by parameter: a simulator folds the rest, where C and D are
// constants, which it does not do for an indexed table. A network has thousands of these.
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
    wire propagate0, propagate1, generate0, generate1;
    CCU2C_slot #(INIT0) slot0 (A0, B0, C0, D0, propagate0, generate0);
    CCU2C_slot #(INIT1) slot1 (A1, B1, C1, D1, propagate1, generate1);
    wire carry0 = propagate0 ? CIN : OPEN0 & generate0;
    assign S0 = propagate0 ^ (OPEN0 & CIN);
    assign S1 = propagate1 ^ (OPEN1 & carry0);
    assign COUT = propagate1 ? carry0 : OPEN1 & generate1;
endmodule

module CCU2C_slot #(parameter [15:0] INIT = 0) (input a, b, c, d, output propagate, output generate_);
    wire q0, q1, q2, q3;
    CCU2C_quarter #(INIT[3:0]) quarter0 (a, b, q0);
    CCU2C_quarter #(INIT[7:4]) quarter1 (a, b, q1);
    CCU2C_quarter #(INIT[11:8]) quarter2 (a, b, q2);
    CCU2C_quarter #(INIT[15:12]) quarter3 (a, b, q3);
    assign propagate = d ? (c ? q3 : q2) : (c ? q1 : q0);
    assign generate_ = q0;
endmodule

module CCU2C_quarter #(parameter [3:0] INIT = 0) (input a, b, output y);
    generate
        case (INIT)
            4'h0: assign y = 1'b0;
            4'h5: assign y = ~a;
            4'h6: assign y = a ^ b;
            4'h8: assign y = a & b;
            4'h9: assign y = ~(a ^ b);
            4'ha: assign y = a;
            4'hf: assign y = 1'b1;
            default: assign y = b ? (a ? INIT[3] : INIT[2]) : (a ? INIT[1] : INIT[0]);
        endcase
    endgenerate
endmodule
