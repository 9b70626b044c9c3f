// Lattice iCE40 SB_PLL40_CORE as hwgen uses it: the loop closed at the VCO (SIMPLE), no delays.
//
// A clock in is a clock out: what drives REFERENCECLK plays the part of the output, so that nothing is simulated
// between the design's own clocks. That the real PLL makes this frequency is checked when the simulation starts:
// +clk_hz=... is the oscillator's and +sync_hz=... the design's; a PLL whose dividers do not make the one from the
// other (to 1 Hz), or leave the limits of the data sheet, stops the simulation. LOCK comes 16 clocks after the start.
// Source: Lattice FPGA-TN-02052 and the iCE40 LP/HX and UltraPlus data sheets (PFD 10..133 MHz, VCO 533..1066 MHz).
module SB_PLL40_CORE #(
    parameter FEEDBACK_PATH = "SIMPLE", PLLOUT_SELECT = "GENCLK",
    parameter [3:0] DIVR = 0,
    parameter [6:0] DIVF = 0,
    parameter [2:0] DIVQ = 0, FILTER_RANGE = 0
) (
    input REFERENCECLK, RESETB, BYPASS, EXTFEEDBACK, LATCHINPUTVALUE, SDI, SCLK,
    input [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
    localparam [63:0] MEGA = 1000000, R = DIVR + 5'd1, F = DIVF + 8'd1;
    reg [63:0] in, out, made, wanted;
    reg [2:0] filter;

    task fail(input [8*40-1:0] what);
        begin
            $display("SB_PLL40: %0s (%0d Hz / %0d * %0d / 2^%0d)", what, in, R, F, DIVQ);
            $fatal(1, "SB_PLL40");
        end
    endtask

    initial begin
        if (!$value$plusargs("clk_hz=%d", in)) in = 0;
        if (!$value$plusargs("sync_hz=%d", out)) out = 0;
        made = in * F;
        wanted = (out * R) << DIVQ;
        filter = in < 17 * MEGA * R ? 1 : in < 26 * MEGA * R ? 2 : in < 44 * MEGA * R ? 3 : in < 66 * MEGA * R ? 4
            : in < 101 * MEGA * R ? 5 : 6;
        if (FEEDBACK_PATH != "SIMPLE" || PLLOUT_SELECT != "GENCLK") fail("a mode that its model does not have");
        if (in == 0 || out == 0) fail("+clk_hz and +sync_hz are needed");
        if (DIVQ < 1 || DIVQ > 6) fail("a divider that there is not");
        if (in < 10 * MEGA * R || in > 133 * MEGA * R) fail("phase detector outside 10..133 MHz");
        if (made < 533 * MEGA * R || made > 1066 * MEGA * R) fail("VCO outside 533..1066 MHz");
        if (FILTER_RANGE != filter) fail("another FILTER_RANGE belongs to this");
        if ((made > wanted ? made - wanted : wanted - made) > (R << DIVQ)) fail("it does not make the design's clock");
    end

    reg [4:0] clocks = 0;
    always @(posedge REFERENCECLK) if (!clocks[4]) clocks <= clocks + 1;
    assign LOCK = clocks[4] & RESETB & !BYPASS;
    assign PLLOUTGLOBAL = REFERENCECLK;
    assign PLLOUTCORE = REFERENCECLK;
    assign SDO = 1'b0;
endmodule
