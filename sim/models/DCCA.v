// Lattice ECP5 DCCA: a clock gate without short pulses; the enable counts as it is while the clock is low.
// Source: Lattice FPGA-TN-02200, dynamic clock control.
module DCCA (
    input CLKI, CE,
    output CLKO
);
    reg enabled = 0;
    always @(negedge CLKI) enabled <= CE;
    assign CLKO = CLKI & enabled;
endmodule
