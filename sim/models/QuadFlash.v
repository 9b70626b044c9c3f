// A W25Q behind a board's pins: the flash's lines are joined as the drivers of a chip and of the flash leave them.
module QuadFlash #(
    parameter FILE = "",
    parameter integer OFFSET = 0, BYTES = 1 << 20
) (
    input clk, clock_enable, cs_n,
    input [3:0] d_o, d_oe,
    output [3:0] d_i
);
    wire [3:0] io;
    wire sck = !clk & clock_enable;
    assign io[0] = d_oe[0] ? d_o[0] : 1'bz;
    assign io[1] = d_oe[1] ? d_o[1] : 1'bz;
    assign io[2] = d_oe[2] ? d_o[2] : 1'bz;
    assign io[3] = d_oe[3] ? d_o[3] : 1'bz;
    assign d_i = io;
    W25Q #(.FILE(FILE), .OFFSET(OFFSET), .BYTES(BYTES)) flash(clk, cs_n, sck, io);
endmodule
