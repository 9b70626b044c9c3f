// Lattice ECP5 BB: bidirectional pad; T high leaves the pin open. Source: Lattice FPGA-TN-02032.
module BB (input I, T, output O, inout B);
    assign B = T ? 1'bz : I;
    assign O = B;
endmodule
