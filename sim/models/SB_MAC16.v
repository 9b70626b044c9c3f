// SB_MAC16 as hwgen uses it: one product of 16x16 bits, or two of 8x8 (A, B high bytes at the top, low bytes at the
// bottom), registers before and behind; the top can give C + its product from a register instead, or both halves
// can (D at the bottom).
// Other uses stop the simulation. Source: Lattice FPGA-TN-02007, iCE40 DSP function usage guide.
module SB_MAC16 #(
    parameter [0:0] NEG_TRIGGER = 0, C_REG = 0, A_REG = 0, B_REG = 0, D_REG = 0,
    parameter [0:0] TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0,
    parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0, PIPELINE_16x16_MULT_REG2 = 0,
    parameter [1:0] TOPOUTPUT_SELECT = 0, TOPADDSUB_LOWERINPUT = 0, TOPADDSUB_CARRYSELECT = 0,
    parameter [1:0] BOTOUTPUT_SELECT = 0, BOTADDSUB_LOWERINPUT = 0, BOTADDSUB_CARRYSELECT = 0,
    parameter [0:0] TOPADDSUB_UPPERINPUT = 0, BOTADDSUB_UPPERINPUT = 0,
    parameter [0:0] MODE_8x8 = 0, A_SIGNED = 0, B_SIGNED = 0
) (
    input CLK, CE, input [15:0] A, B, C, D,
    input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
    input ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
    output [31:0] O, output CO, ACCUMCO, SIGNEXTOUT
);
    localparam both = A_REG && B_REG && !C_REG && !D_REG && !NEG_TRIGGER;
    localparam whole = !MODE_8x8 && PIPELINE_16x16_MULT_REG2 && !PIPELINE_16x16_MULT_REG1
                       && TOPOUTPUT_SELECT == 3 && BOTOUTPUT_SELECT == 3;
    localparam halves = MODE_8x8 && TOP_8x8_MULT_REG && BOT_8x8_MULT_REG && (BOTOUTPUT_SELECT == 2 || (sums && sum));
    localparam sums = BOTOUTPUT_SELECT == 1 && BOTADDSUB_LOWERINPUT == 1 && BOTADDSUB_UPPERINPUT == 1
                      && BOTADDSUB_CARRYSELECT == 0;
    localparam sum = TOPOUTPUT_SELECT == 1 && TOPADDSUB_LOWERINPUT == 1 && TOPADDSUB_UPPERINPUT == 1
                     && TOPADDSUB_CARRYSELECT == 0;
    initial if (!both || !(whole || (halves && (sum || TOPOUTPUT_SELECT == 2)))) begin
        $display("SB_MAC16: a mode that its model does not have");
        $finish;
    end

    reg signed [16:0] a = 0, b = 0;
    reg signed [33:0] product = 0;
    reg signed [8:0] a_low = 0, b_low = 0;
    reg signed [17:0] top = 0, bottom = 0;
    reg [15:0] total = 0, total_low = 0;
    wire signed [8:0] a_high = a[16:8], b_high = b[16:8];
    always @(posedge CLK) if (CE) begin
        if (!AHOLD) begin
            a <= {A_SIGNED & A[15], A};
            a_low <= {A_SIGNED & A[7], A[7:0]};
        end
        if (!BHOLD) begin
            b <= {B_SIGNED & B[15], B};
            b_low <= {B_SIGNED & B[7], B[7:0]};
        end
        product <= a * b;
        top <= a_high * b_high;
        bottom <= a_low * b_low;
        total <= C + top[15:0];
        total_low <= D + bottom[15:0];
    end
    assign O = whole ? product[31:0] : {sum ? total : top[15:0], sums ? total_low : bottom[15:0]};
    assign {CO, ACCUMCO, SIGNEXTOUT} = 0;
endmodule
