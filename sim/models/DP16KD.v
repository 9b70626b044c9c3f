// Lattice ECP5 DP16KD: 18 kbit true dual-port block RAM, ports of 18, 9, 4, 2 or 1 bits; or, both widths 36,
// one write port and one read port: low half on the data pins of A, high half on those of B, addresses and
// clocks of the writing port on A (byte enables AD3..AD0), of the reading port on B.
// Contents: 2048 units of 9 bits, 32 units (padded, two by two, from 18 to 20 bits) in each INITVAL of 320 bits;
// words of 4, 2 and 1 bits leave the ninth bit of a unit alone. An 18-bit port takes byte enables on AD1, AD0.
// Write mode NORMAL (a writing port keeps its read data), synchronous reset, no chip select decoding.
// Source: Lattice TN1264. The order of INITVAL is checked against Yosys in tests/targets/test_ecp5.py.
/* verilator lint_off MULTIDRIVEN */
module DP16KD #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "AUTO",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter [319:0]
        INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0,
        INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
        INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0,
        INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
        INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
        INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
        INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0,
        INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
        INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0,
        INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
        INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14,
    DIA15, DIA16, DIA17,
    input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
    input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
    output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14,
    DOA15, DOA16, DOA17,
    input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14,
    DIB15, DIB16, DIB17,
    input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
    output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14,
    DOB15, DOB16, DOB17
);
    reg [8:0] unit [0:2047];
    wire [64*320-1:0] initial_bits =
        {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
    integer at;
    initial
        for (at = 0; at < 2048; at = at + 1)
            unit[at] = initial_bits[(at / 32) * 320 + ((at % 32) / 2) * 20 + (at % 2) * 9 +: 9];

    function [17:0] fetch(input integer width, input [13:0] address);
        case (width)
            18: fetch = {unit[{address[13:4], 1'b1}], unit[{address[13:4], 1'b0}]};
            9: fetch = {9'b0, unit[address[13:3]]};
            4: fetch = {14'b0, unit[address[13:3]][{address[2], 2'b00} +: 4]};
            2: fetch = {16'b0, unit[address[13:3]][{address[2:1], 1'b0} +: 2]};
            default: fetch = {17'b0, unit[address[13:3]][address[2:0]]};
        endcase
    endfunction

    task store(input integer width, input [13:0] address, input [17:0] value);
        case (width)
            18: begin
                if (address[0]) unit[{address[13:4], 1'b0}] <= value[8:0];
                if (address[1]) unit[{address[13:4], 1'b1}] <= value[17:9];
            end
            9: unit[address[13:3]] <= value[8:0];
            4: unit[address[13:3]][{address[2], 2'b00} +: 4] <= value[3:0];
            2: unit[address[13:3]][{address[2:1], 1'b0} +: 2] <= value[1:0];
            default: unit[address[13:3]][address[2:0]] <= value[0];
        endcase
    endtask

    wire [13:0] address_a =
        {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [17:0] write_a =
        {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
        DIA2, DIA1, DIA0};
    wire [17:0] write_b =
        {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0};
    wire pseudo = DATA_WIDTH_A == 36;
    reg [17:0] read_a = 0, out_a = 0, read_low = 0, out_low = 0;
    always @(posedge CLKA) if (pseudo) begin
        if (CEA && WEA) begin
            store(18, {address_a[13:5], 3'b000, address_a[1:0]}, write_a);
            store(18, {address_a[13:5], 3'b100, address_a[3:2]}, write_b);
        end
    end else begin
        if (CEA) begin
            if (WEA) store(DATA_WIDTH_A, address_a, write_a);
            else read_a <= fetch(DATA_WIDTH_A, address_a);
        end
        if (RSTA) begin out_a <= 0; if (CEA) read_a <= 0; end
        else if (OCEA) out_a <= read_a;
    end
    assign
        {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0}
        = pseudo ? (REGMODE_A == "OUTREG" ? out_low : read_low) : (REGMODE_A == "OUTREG" ? out_a : read_a);

    wire [13:0] address_b =
        {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    reg [17:0] read_b = 0, out_b = 0;
    always @(posedge CLKB) begin
        if (CEB) begin
            if (pseudo) begin
                read_low <= fetch(18, {address_b[13:5], 5'b00000});
                read_b <= fetch(18, {address_b[13:5], 5'b10000});
            end else if (WEB) store(DATA_WIDTH_B, address_b, write_b);
            else read_b <= fetch(DATA_WIDTH_B, address_b);
        end
        if (RSTB) begin out_b <= 0; out_low <= 0; if (CEB) begin read_b <= 0; read_low <= 0; end end
        else if (OCEB) begin out_b <= read_b; out_low <= read_low; end
    end
    assign
        {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0}
        = REGMODE_B == "OUTREG" ? out_b : read_b;
endmodule
