// Clock cycles since the start of the simulation (or since its last reset).
module hwgen_cycle_counter (
    input             clk,
    input             rst,
    output reg [31:0] cycle
);
    initial cycle = 0;

    always @(posedge clk) cycle <= rst ? 0 : cycle + 1;
endmodule
