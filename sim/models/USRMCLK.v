// Lattice ECP5 USRMCLK: the way from the fabric to the configuration clock's pin, which is no port of a design.
// A bench finds that pin in the package. Source: Lattice FPGA-TN-02039, user MCLK.
package configuration_clock;
    reg pin = 0;
endpackage

module USRMCLK (input USRMCLKI, USRMCLKTS);
    import configuration_clock::*;
    always @* pin = USRMCLKI & !USRMCLKTS;
endmodule
