// Records every transfer of a stream in <NAME>.rec and checks the protocol.
//
// A record is the payload, padded to 32-bit words (least significant word first), and the clock
// cycle, all little-endian. error: 1 valid withdrawn, 2 payload changed while waiting, 3 unknown bits.
module hwgen_stream_monitor #(
    parameter WIDTH = 8,
    parameter NAME  = "o"
) (
    input                  clk,
    input                  rst,
    input                  flush,
    input      [31:0]      cycle,
    input                  valid,
    input                  ready,
    input      [WIDTH-1:0] payload,
    output reg [31:0]      count,
    output reg [31:0]      last,
    output reg [1:0]       error,
    output reg [31:0]      error_cycle
);
    localparam WORDS = (WIDTH + 31) / 32;

    wire [WORDS*32-1:0] padded = payload;
    reg                 waiting;
    reg  [WIDTH-1:0]    held;
    integer             file, unused;

    initial begin
        count       = 0;
        last        = 0;
        error       = 0;
        error_cycle = 0;
        waiting     = 0;
        held        = 0;
        file        = $fopen({NAME, ".rec"}, "wb");
    end

    always @(posedge flush) $fflush(file);

    always @(posedge clk) begin
        if (rst) begin
            count   <= 0;
            last    <= 0;
            waiting <= 0;
            unused = $rewind(file);
        end else begin
            waiting <= valid && !ready;
            held    <= payload;
            if (valid && ready) begin
                $fwrite(file, "%u", {cycle, padded});
                count <= count + 1;
                last  <= cycle;
            end
            if (error == 0) begin
                if (waiting && !valid) error <= 1;
                else if (waiting && payload !== held) error <= 2;
                else if (valid !== 0 && ^{valid, ready, payload} === 1'bx) error <= 3;
                error_cycle <= cycle;
            end
        end
    end
endmodule
