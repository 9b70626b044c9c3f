// Lattice ECP5 OB: output pad. Source: Lattice FPGA-TN-02032.
module OB (input I, output O);
    assign O = I;
endmodule
