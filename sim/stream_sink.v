// Takes words from a stream with random back-pressure: `ready` is the gate of hwgen_gate, decided
// without looking at `valid`.
module hwgen_stream_sink (
    input         clk,
    input         rst,
    input  [16:0] go,
    input  [16:0] stop,
    input  [31:0] seed,
    output        ready
);
    wire [31:0] noise;

    hwgen_gate gate_of (.clk(clk), .rst(rst), .go(go), .stop(stop), .seed(seed), .open(ready), .noise(noise));
endmodule
