// SB_RAM40_4K as hwgen uses it: 256 words of 16 bits, one port writes, the other reads on the same clock; a word
// read while it is written is the old one. Source: Lattice FPGA-TN-02002, iCE40 memory usage guide.
module SB_RAM40_4K #(
    parameter READ_MODE = 0, WRITE_MODE = 0,
    parameter [255:0]
        INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0, INIT_4 = 0, INIT_5 = 0, INIT_6 = 0, INIT_7 = 0,
        INIT_8 = 0, INIT_9 = 0, INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0, INIT_E = 0, INIT_F = 0
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
    wire [4095:0] initial_bits =
        {INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
        INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0};
    integer at;
    initial for (at = 0; at < 256; at = at + 1) words[at] = initial_bits[at * 16 +: 16];
    always @(posedge WCLK) if (WCLKE && WE) words[WADDR[7:0]] <= (words[WADDR[7:0]] & MASK) | (WDATA & ~MASK);
    always @(posedge RCLK) if (RCLKE && RE) RDATA <= words[RADDR[7:0]];
endmodule
