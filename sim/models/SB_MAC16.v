// SB_MAC16 as hwgen uses it: one product of 16x16 bits, registers before it and behind it.
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
    initial if (!A_REG || !B_REG || !PIPELINE_16x16_MULT_REG2 || PIPELINE_16x16_MULT_REG1 || MODE_8x8
                || NEG_TRIGGER || TOPOUTPUT_SELECT != 3 || BOTOUTPUT_SELECT != 3) begin
        $display("SB_MAC16: a mode that its model does not have");
        $finish;
    end

    reg signed [16:0] a = 0, b = 0;
    reg signed [33:0] product = 0;
    always @(posedge CLK) if (CE) begin
        a <= {A_SIGNED & A[15], A};
        b <= {B_SIGNED & B[15], B};
        product <= a * b;
    end
    assign O = product[31:0];
    assign {CO, ACCUMCO, SIGNEXTOUT} = 0;
endmodule
