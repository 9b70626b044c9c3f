// Starts the waveform dump when `dump` rises: only the clocks of interest are written.
module hwgen_waveform (
    input dump
);
`ifdef HWGEN_TRACE
    always @(posedge dump) begin
        $dumpfile(`HWGEN_TRACE);
        $dumpvars(0, bench);
    end
`endif
endmodule
