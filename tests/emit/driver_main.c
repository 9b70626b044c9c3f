/* Drives a generated driver for tests: numbers come by stdin and go by stdout.
 * Built with -include of the driver's header and -DNAME=its prefix, -DUPPER=its prefix in capitals. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define F(name) JOIN(NAME, name)
#define C(name) JOIN(UPPER, name)

static int line; /* descriptor */

static size_t send_bytes(void *context, const uint8_t *bytes, size_t count)
{
    struct pollfd waiting = {0, POLLOUT, 0};

    (void)context;
    waiting.fd = line;
    return poll(&waiting, 1, 1000) == 1 && write(line, bytes, count) == (ssize_t)count ? count : 0;
}

static size_t receive_bytes(void *context, uint8_t *bytes, size_t count, uint32_t milliseconds)
{
    size_t have = 0;

    (void)context;
    while (have < count) {
        struct pollfd waiting = {0, POLLIN, 0};
        ssize_t more;

        waiting.fd = line;
        if (poll(&waiting, 1, (int)milliseconds) <= 0)
            break;
        more = read(line, bytes + have, count - have);
        if (more <= 0)
            break;
        have += (size_t)more;
    }
    return have;
}

static F(input_t) input[C(INPUTS)];
static F(output_t) output[C(OUTPUTS)];

static void say(const void *bytes, size_t count)
{
    if (fwrite(bytes, 1, count, stdout) != count)
        exit(9);
}

static int hear(void *bytes, size_t count)
{
    return fread(bytes, 1, count, stdin) == count;
}

static int run(uint32_t milliseconds, int tries)
{
    NAME device;
    F(link) link = {send_bytes, receive_bytes, NULL, 0, 0};
    uint8_t opened;
    uint32_t words[6];

    link.milliseconds = milliseconds;
    link.tries = (uint8_t)tries;
    opened = (uint8_t)F(open)(&device, &link);
    say(&opened, 1);
    while (opened == C(OK) && hear(input, sizeof input)) {
        uint8_t result;

        memset(output, 0x55, sizeof output);
        result = (uint8_t)F(run)(&device, input, output);
        say(&result, 1);
        say(output, sizeof output);
    }
    if (opened == C(OK)) {
        opened = (uint8_t)F(status)(&device, words, 6);
        say(&opened, 1);
        say(words, sizeof words);
        opened = (uint8_t)F(reset)(&device);
        say(&opened, 1);
        say(&device.retries, sizeof device.retries);
    }
    return 0;
}

#ifdef MODEL_INPUT
static int enter(void)
{
    static MODEL_INPUT x[C(INPUTS)];

    while (hear(x, sizeof x)) {
        uint8_t result = (uint8_t)F(quantise)(x, input);

        say(&result, 1);
        say(input, sizeof input);
    }
    return 0;
}
#endif

#ifdef MODEL_OUTPUT
static int leave(void)
{
    static MODEL_OUTPUT y[C(OUTPUTS)];

    while (hear(output, sizeof output)) {
        F(dequantise)(output, y);
        say(y, sizeof y);
    }
    return 0;
}
#endif

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "run") == 0) {
        line = atoi(words[4]);
        return run((uint32_t)atol(words[2]), atoi(words[3]));
    }
#ifdef MODEL_INPUT
    if (count == 2 && strcmp(words[1], "enter") == 0)
        return enter();
#endif
#ifdef MODEL_OUTPUT
    if (count == 2 && strcmp(words[1], "leave") == 0)
        return leave();
#endif
    return 8;
}
