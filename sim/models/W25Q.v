// Winbond W25Q128JV as hwgen uses it: release from power-down (AB), power-down (B9), volatile write enable (50), write
// status register-2 (31), fast read quad I/O (EB, with continuous read). Anything else, and whatever a data sheet
// forbids, stops the simulation. Source: W25Q128JV data sheet, revision F (March 27, 2018), 8.1.2, 8.2 and 9.6.
//
// Contents: the bytes of FILE (or +flash=...), one in hexadecimal a line, from address OFFSET on; others are FF.
// A read takes 8 clocks of command on line 0, 6 of address, 2 of mode and 4 dummies, high nibbles first; inputs are
// sampled at SCK's rise, outputs change at its fall, the first at that of the last dummy.
// clk only measures time: WAKE clocks are tRES1 and tDP, which is also what has passed since a power-down before the
// simulation began (ASLEEP), REST clocks are tSHSL2. Where undefined values exist the inputs must be defined, and
// nobody may drive while the lines turn round.
module W25Q #(
    parameter FILE = "",
    parameter integer OFFSET = 0, BYTES = 1 << 20, WAKE = 108, REST = 2,
    parameter [0:0] ASLEEP = 1, QUAD = 0
) (
    input clk, CS_n, SCK,
    inout [3:0] IO
);
    reg [7:0] bytes [0:BYTES-1];
    reg [8*256-1:0] file;
    integer at;
    initial begin
        for (at = 0; at < BYTES; at = at + 1) bytes[at] = 8'hff;
        if (FILE != "") $readmemh(FILE, bytes);
        else if ($value$plusargs("flash=%s", file)) $readmemh(file, bytes);
    end

    task fail(input [8*48-1:0] what);
        begin
            $display("W25Q: %0s (command %h, clock %0d of it)", what, command, clocks);
            $fatal(1, "W25Q");
        end
    endtask

    integer clocks = 0, high = 0, rested = 0, needed = WAKE;
    reg [7:0] command = 0, data = 0;
    reg [23:0] address = 0;
    reg asleep = ASLEEP, quad = QUAD, enabled = 0, continuous = 0;
    wire reading = command == 8'heb;

    always @(posedge clk) begin
        high <= CS_n ? high + 1 : 0;
        if (high != 0) rested <= high;  // /CS may fall some clocks before SCK rises
    end

    always @(posedge SCK or posedge CS_n)
        if (CS_n) begin
            if (clocks != 0) finish;
            clocks = 0;
        end else begin
            if (clocks == 0 && (high != 0 ? high : rested) < needed) fail("/CS was not high for long enough");
            if (clocks == 0 && continuous) clocks = 8;
            if (clocks < 8 || !reading) serial;
            else if (clocks < 16) begin
                if ((^IO === 1'bx) && clocks < 15) fail("an address or mode that is undefined");
                if (clocks < 14) address = {address[19:0], IO};
                if (clocks == 14) continuous = IO[1:0] == 2'b10;
            end
`ifndef VERILATOR
            else if (clocks < 20 && IO !== 4'bzzzz) fail("lines driven while they turn round");
`endif
            clocks = clocks + 1;
            if (clocks == 8) begin
                if (asleep && command != 8'hab) fail("a command in power-down");
                case (command)
                    8'hab, 8'hb9, 8'h50: ;
                    8'h31: if (!enabled) fail("a status register is written, but not enabled");
                    8'heb: if (!quad) fail("quad read without QE");
                    default: fail("a command that its model does not have");
                endcase
            end
        end

    // one bit; without QE lines 2 and 3 are /WP and /HOLD
    task serial;
        begin
            if (IO[0] === 1'bx || IO[0] === 1'bz) fail("an undefined bit");
            if (!quad && IO[3] !== 1'b1) fail("/HOLD is not high");
            if (clocks < 8) command = {command[6:0], IO[0]};
            else data = {data[6:0], IO[0]};
        end
    endtask

    task finish;
        begin
            needed = REST;
            if (clocks < 8) fail("/CS rises within a command");
            if (clocks != 8 && (command == 8'hab || command == 8'hb9 || command == 8'h50)) fail("bits too many");
            case (command)
                8'hab: begin asleep = 0; needed = WAKE; end
                8'hb9: begin asleep = 1; needed = WAKE; end
                8'h50: enabled = 1;
                8'h31: begin
                    if (clocks != 16) fail("not a byte for the status register");
                    quad = data[1];
                    enabled = 0;
                end
                default: ;
            endcase
        end
    endtask

    reg driving = 0, low = 0;
    reg [3:0] out = 0;
    reg [23:0] place = 0;
    wire [23:0] index = place - OFFSET;
    wire [7:0] here = index < BYTES ? bytes[index] : 8'hff;
    always @(negedge SCK or posedge CS_n)
        if (CS_n) driving <= 0;
        else if (reading && clocks >= 20) begin
            driving <= 1;
            low <= !low;
            out <= low ? here[3:0] : here[7:4];
            if (low) place <= place + 1;
        end else begin
            place <= address;
            low <= 0;
        end
    assign IO = driving ? out : 4'bzzzz;
endmodule
