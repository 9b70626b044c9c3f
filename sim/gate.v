// Random gate: a Markov chain of two states (see stream_source.v) on a 32-bit xorshift generator
// (Marsaglia 2003, triple 13, 17, 5), so that every simulator plays the same pattern for a seed.
module hwgen_gate (
    input             clk,
    input             rst,
    input      [16:0] go,
    input      [16:0] stop,
    input      [31:0] seed,
    output reg        open,
    output reg [31:0] noise
);
    reg         seeded;
    reg  [31:0] mixed;
    wire [16:0] dice = {1'b0, noise[23:8]};

    initial begin
        open   = 0;
        seeded = 0;
        noise  = 1;
    end

    always @(posedge clk) begin
        mixed = seeded ? noise : (seed == 0 ? 32'h9e3779b9 : seed);
        mixed = mixed ^ (mixed << 13);
        mixed = mixed ^ (mixed >> 17);
        mixed = mixed ^ (mixed << 5);
        noise  <= mixed;
        seeded <= !rst;
        if (rst) open <= 0;
        else open <= open ? !(dice < stop) : (dice < go);
    end
endmodule
