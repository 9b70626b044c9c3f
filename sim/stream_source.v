// Plays the first `limit` words of <NAME>.in (big-endian, whole bytes a word) into a stream, with random
// gaps; a reset starts again from the first word.
//
// The gate is a Markov chain of two states: each clock an open gate closes with probability
// stop/65536, a closed one opens with go/65536. go=65536, stop=0: no gaps; go=p, stop=65536-p: a
// word in p/65536 of the clocks; both small: bursts. Contract: payload is held while it waits,
// valid never waits for ready. While nothing is offered the payload is noise, so that a core that
// takes data without looking at valid is seen.
module hwgen_stream_source #(
    parameter WIDTH = 8,
    parameter NAME  = "i"
) (
    input                  clk,
    input                  rst,
    input      [16:0]      go,
    input      [16:0]      stop,
    input      [31:0]      seed,
    input      [31:0]      limit,
    output reg             valid,
    input                  ready,
    output reg [WIDTH-1:0] payload
);
    localparam BYTES = (WIDTH + 7) / 8;

    wire               gate;
    wire [31:0]        noise;
    reg  [BYTES*8-1:0] word;
    reg  [31:0]        played;
    integer            file, got;

    hwgen_gate gate_of (.clk(clk), .rst(rst), .go(go), .stop(stop), .seed(seed), .open(gate), .noise(noise));

    initial begin
        valid   = 0;
        payload = 0;
        played  = 0;
        file    = $fopen({NAME, ".in"}, "rb");
    end

    always @(posedge clk) begin
        if (rst) begin
            valid  <= 0;
            played <= 0;
            got = $rewind(file);
        end else if (!valid || ready) begin
            valid   <= 0;
            payload <= {((WIDTH + 31) / 32) {noise}};
            if (gate && played < limit) begin
                got = $fread(word, file);
                if (got != BYTES) $fatal(1, "%s.in ends too early", NAME);
                valid   <= 1;
                payload <= word[WIDTH-1:0];
                played  <= played + 1;
            end
        end
    end
endmodule
