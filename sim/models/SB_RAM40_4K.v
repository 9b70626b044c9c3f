// SB_RAM40_4K as hwgen uses it: 256 words of 16 bits, one port writes, the other reads on the same clock; a word
// read while it is written is the old one. Source: Lattice FPGA-TN-02002, iCE40 memory usage guide.
module SB_RAM40_4K #(
    parameter READ_MODE = 0, WRITE_MODE = 0
) (
    output reg [15:0] RDATA,
    input RCLK, RCLKE, RE, input [10:0] RADDR,
    input WCLK, WCLKE, WE, input [10:0] WADDR, input [15:0] MASK, WDATA
);
    initial if (READ_MODE != 0 || WRITE_MODE != 0) begin
        $display("SB_RAM40_4K: a mode that its model does not have");
        $finish;
    end

    reg [15:0] words [0:255];
    always @(posedge WCLK) if (WCLKE && WE) words[WADDR[7:0]] <= (words[WADDR[7:0]] & MASK) | (WDATA & ~MASK);
    always @(posedge RCLK) if (RCLKE && RE) RDATA <= words[RADDR[7:0]];
endmodule
