// Lattice ECP5 EHXPLLL as hwgen uses it: the loop closed inside over CLKOP (INT_OP), the design's clock from CLKOS.
//
// A clock in is a clock out: what drives CLKI plays the part of CLKOS, so that nothing is simulated between the
// design's own clocks. That the real PLL makes this frequency is checked when the simulation starts: +clk_hz=... is
// the oscillator's and +sync_hz=... the design's; a PLL whose dividers do not make the one from the other (to 1 Hz),
// or leave the limits of the data sheet, stops the simulation. LOCK comes 16 clocks after the start.
// Source: Lattice FPGA-DS-02012 (sysCLOCK PLL timing) and FPGA-TN-02200 (dividers).
module EHXPLLL #(
    parameter integer CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOS_DIV = 8, CLKOS2_DIV = 8, CLKOS3_DIV = 8,
    parameter integer CLKOP_CPHASE = 0, CLKOP_FPHASE = 0, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0,
    parameter CLKOP_ENABLE = "ENABLED", CLKOS_ENABLE = "DISABLED", FEEDBK_PATH = "CLKOP",
    parameter PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED"
) (
    input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC, RST,
    input ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
    output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
    localparam [63:0] LOOP = CLKFB_DIV * CLKOP_DIV, MEGA = 1000000;
    reg [63:0] in, out, made, wanted;

    task fail(input [8*40-1:0] what);
        begin
            $display("EHXPLLL: %0s (%0d Hz / %0d * %0d * %0d / %0d)", what, in, CLKI_DIV, CLKFB_DIV, CLKOP_DIV,
                CLKOS_DIV);
            $fatal(1, "EHXPLLL");
        end
    endtask

    initial begin
        if (!$value$plusargs("clk_hz=%d", in)) in = 0;
        if (!$value$plusargs("sync_hz=%d", out)) out = 0;
        made = in * LOOP;
        wanted = out * CLKI_DIV * CLKOS_DIV;
        if (FEEDBK_PATH != "INT_OP" || CLKOP_ENABLE != "ENABLED" || CLKOS_ENABLE != "ENABLED"
            || PLLRST_ENA != "DISABLED" || STDBY_ENABLE != "DISABLED" || DPHASE_SOURCE != "DISABLED"
            || INTFB_WAKE != "DISABLED" || CLKOP_FPHASE != 0 || CLKOS_FPHASE != 0
            || CLKOP_CPHASE != CLKOP_DIV - 1 || CLKOS_CPHASE != CLKOS_DIV - 1)
            fail("a mode that its model does not have");
        if (CLKI_DIV < 1 || CLKI_DIV > 128 || CLKFB_DIV < 1 || CLKFB_DIV > 80 || CLKOP_DIV < 1 || CLKOP_DIV > 128
            || CLKOS_DIV < 1 || CLKOS_DIV > 128)
            fail("a divider that there is not");
        if (in == 0 || out == 0) fail("+clk_hz and +sync_hz are needed");
        if (in < 8 * MEGA || in > 400 * MEGA || in < 10 * MEGA * CLKI_DIV || in > 400 * MEGA * CLKI_DIV)
            fail("phase detector outside 10..400 MHz");
        if (made < 400 * MEGA * CLKI_DIV || made > 800 * MEGA * CLKI_DIV) fail("VCO outside 400..800 MHz");
        if ((made > wanted ? made - wanted : wanted - made) > CLKI_DIV * CLKOS_DIV)
            fail("it does not make the design's clock");
    end

    reg [4:0] clocks = 0;
    always @(posedge CLKI) if (!clocks[4]) clocks <= clocks + 1;
    assign LOCK = clocks[4] & !RST & !STDBY;
    assign INTLOCK = LOCK;
    assign REFCLK = CLKI;
    assign CLKOS = CLKI;
    assign {CLKOP, CLKOS2, CLKOS3, CLKINTFB} = 4'b0;
endmodule
