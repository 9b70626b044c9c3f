// SB_IO of iCE40 in the three modes that hwgen uses: registered output; double data rate output; output, its enable
// and input registered. Source: Lattice, iCE40 Technology Library, and FPGA-TN-02026 for PIN_TYPE. In the data sheet's
// circuit a multiplexer chooses between two registers by the clock; here one register takes either input at
// either edge, which is the same without the multiplexer's glitches. Registers are 0 after configuration.
module SB_IO #(
    parameter [5:0] PIN_TYPE = 6'b000000,
    parameter [0:0] PULLUP = 0, NEG_TRIGGER = 0
) (
    inout PACKAGE_PIN,
    input LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0, D_OUT_1,
    output D_IN_0, D_IN_1
);
    localparam [5:0] OUTPUT = 6'b010101, DOUBLE = 6'b010001, BOTH = 6'b110100;
    initial if ((PIN_TYPE != OUTPUT && PIN_TYPE != DOUBLE && PIN_TYPE != BOTH) || NEG_TRIGGER) begin
        $display("SB_IO: a mode that its model does not have: %b", PIN_TYPE);
        $fatal(1, "SB_IO");
    end

    reg in = 0, out = 0, enabled = 0;
    always @(posedge INPUT_CLK) in <= PACKAGE_PIN;
    always @(posedge OUTPUT_CLK) enabled <= OUTPUT_ENABLE;
    generate
        if (PIN_TYPE == DOUBLE) begin : double
            always @(posedge OUTPUT_CLK or negedge OUTPUT_CLK) out <= OUTPUT_CLK ? D_OUT_0 : D_OUT_1;
        end else begin : single
            always @(posedge OUTPUT_CLK) out <= D_OUT_0;
        end
        if (PIN_TYPE == BOTH) begin : both
            assign PACKAGE_PIN = enabled ? out : 1'bz;
        end else begin : always_driven
            assign PACKAGE_PIN = out;
        end
    endgenerate
    assign D_IN_0 = PIN_TYPE[0] ? PACKAGE_PIN : in;
    assign D_IN_1 = 1'b0;
endmodule
