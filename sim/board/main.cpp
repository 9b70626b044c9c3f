// A board's top in Verilator, its serial line behind a pseudo-terminal.
//
//   board --bit CLOCKS [--seed N] [+plusarg...]
//
// Prints "port /dev/pts/N" when a host can open it. Bytes that a host writes there go to the board's uart_rx, bit by
// bit, CLOCKS clocks each (8N1, back to back); what the board sends on uart_tx is what the host reads. While nothing is
// on the line and the board is not busy for a while, its clock stands still and this program sleeps.
//
// Commands, a line each on standard input: "clocks" (answer: "clocks N S": clocks since the board's power came on, and
// this program's processor seconds for them), "cycle" (the board's power goes off and on again, whatever is under way;
// answer: "cycled"), "settle" (answer: "settled", as soon as the board's clock stands still). The end of standard input,
// SIGTERM and SIGINT end the program. Exit status: 0, or another one and a line on standard output or standard error
// that says why.

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <string>
#include <termios.h>
#include <unistd.h>

#include "Vboard.h"
#include "verilated.h"

namespace {

// Clocks without any activity before the board's own clock stops: longer than from power-on to its first sign of life
// (15 us of an iCE40's PLL, 4 us of a flash).
constexpr std::uint64_t kQuiet = 8192;
constexpr int kSettle = 2;  // milliseconds in which bytes that a host has written reach us
constexpr unsigned kLook = 256;  // clocks between two looks at the host while the line is idle
constexpr std::size_t kChunk = 512;  // bytes taken from the host at once, as a serial chip's buffer does

int wake[2];  // a pipe that signals write to, so that no signal is missed before a poll

void on_signal(int) {
    const char byte = 0;
    if (write(wake[1], &byte, 1) < 0) _exit(1);
}

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "board: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

// The host's end: a pseudo-terminal without any line discipline, kept open so that hosts can come and go.
class Terminal {
  public:
    Terminal() {
        master_ = posix_openpt(O_RDWR | O_NOCTTY);
        if (master_ < 0 || grantpt(master_) || unlockpt(master_)) fail("no pseudo-terminal");
        name_ = ptsname(master_);
        slave_ = open(name_.c_str(), O_RDWR | O_NOCTTY);
        termios raw{};
        if (slave_ < 0 || tcgetattr(slave_, &raw)) fail(name_);
        raw.c_iflag = raw.c_oflag = raw.c_lflag = 0;
        raw.c_cflag = CS8 | CREAD | CLOCAL;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(slave_, TCSANOW, &raw)) fail(name_);
        if (fcntl(master_, F_SETFL, O_NONBLOCK) < 0 || fcntl(0, F_SETFL, O_NONBLOCK) < 0) fail(name_);
    }

    const std::string& name() const { return name_; }

    // Waits until the host, a command or a signal wants something: timeout in milliseconds, -1 for ever.
    // False when the program is to end. Commands are appended to `commands`.
    bool look(int timeout, bool writing, std::string& commands) {
        pollfd fds[3] = {{master_, static_cast<short>(writing ? POLLOUT : POLLIN), 0}, {0, POLLIN, 0}, {wake[0], POLLIN, 0}};
        if (poll(fds, 3, timeout) < 0 && errno != EINTR) fail("poll");
        if (fds[2].revents) return false;
        if (fds[1].revents) {
            char buffer[256];
            const ssize_t count = read(0, buffer, sizeof buffer);
            if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return false;
            if (count > 0) commands.append(buffer, static_cast<std::size_t>(count));
        }
        if (fds[0].revents & POLLIN) {
            unsigned char buffer[kChunk];
            const ssize_t count = read(master_, buffer, sizeof buffer);
            if (count > 0) received_.insert(received_.end(), buffer, buffer + count);
        }
        return true;
    }

    std::deque<unsigned char>& received() { return received_; }

    // Whether the host's buffer took the byte.
    bool put(unsigned char byte) { return write(master_, &byte, 1) == 1; }

  private:
    int master_ = -1, slave_ = -1;
    std::string name_;
    std::deque<unsigned char> received_;
};

// One power-on of the board.
class Power {
  public:
    Power(int argc, char** argv, int seed) {
        context_.commandArgs(argc, argv);
        context_.randReset(2);
        context_.randSeed(seed);
        board_ = std::make_unique<Vboard>(&context_);
        board_->uart_rx = 1;
    }
    ~Power() { board_->final(); }

    // One clock with the line at `rx`; returns uart_tx behind it.
    bool tick(bool rx) {
        board_->uart_rx = rx;
        board_->clk = 0;
        board_->eval();
        board_->clk = 1;
        board_->eval();
        clocks++;
        return board_->uart_tx;
    }
    bool busy() const { return board_->busy; }
    double seconds() const { return static_cast<double>(std::clock() - since_) / CLOCKS_PER_SEC; }
    std::uint64_t clocks = 0;

  private:
    std::clock_t since_ = std::clock();
    VerilatedContext context_;
    std::unique_ptr<Vboard> board_;
};

// Bytes to a line: start bit, eight data bits, stop bit.
class Sender {
  public:
    explicit Sender(unsigned bit) : bit_(bit) {}
    bool busy() const { return left_ != 0; }
    void start(unsigned char byte) { word_ = 0x200u | static_cast<unsigned>(byte) << 1, left_ = 10 * bit_; }
    bool next() {
        if (!left_) return true;
        const bool level = word_ >> (10 - (left_ + bit_ - 1) / bit_) & 1;
        left_--;
        return level;
    }

  private:
    unsigned bit_, word_ = 0, left_ = 0;
};

// Bytes from a line, each bit sampled in its middle; a byte without a stop bit is none.
class Receiver {
  public:
    explicit Receiver(unsigned bit) : bit_(bit) {}
    bool busy() const { return bits_ != 0; }
    void clear() { bits_ = 0; }
    // The byte that is complete with this clock, else -1.
    int take(bool level) {
        if (!bits_) {
            if (!level) bits_ = 10, wait_ = bit_ / 2;
        } else if (--wait_ == 0) {
            wait_ = bit_;
            bits_--;
            if (bits_ == 9 && level) bits_ = 0;  // no start bit
            else if (bits_ == 0) return level ? static_cast<int>(word_) : -1;
            else word_ = word_ >> 1 | (level ? 0x80u : 0u);
        }
        return -1;
    }

  private:
    unsigned bit_, bits_ = 0, wait_ = 0, word_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    unsigned bit = 0;
    int seed = 1;
    for (int at = 1; at + 1 < argc; at++) {
        if (!std::strcmp(argv[at], "--bit")) bit = static_cast<unsigned>(std::strtoul(argv[at + 1], nullptr, 10));
        if (!std::strcmp(argv[at], "--seed")) seed = std::atoi(argv[at + 1]);
    }
    if (bit < 4) {
        std::fprintf(stderr, "board: --bit needs a number of clocks, 4 or more\n");
        return 1;
    }
    if (pipe(wake)) fail("pipe");
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    auto power = std::make_unique<Power>(argc, argv, seed);
    Terminal host;
    Sender sender(bit);
    Receiver receiver(bit);
    std::string commands;
    std::uint64_t quiet = 0;
    bool settling = false;
    unsigned until_look = 0;
    power->tick(true);  // a model that refuses its parameters ends the program here
    std::printf("port %s\n", host.name().c_str());
    std::fflush(stdout);
    for (;;) {
        if (!sender.busy() && host.received().empty() && until_look == 0) {
            const bool still = quiet >= kQuiet, last_look = still && settling;
            if (!host.look(last_look ? kSettle : still ? -1 : 0, false, commands)) return 0;
            until_look = kLook;
            for (std::size_t end; (end = commands.find('\n')) != std::string::npos; commands.erase(0, end + 1)) {
                const std::string command = commands.substr(0, end);
                if (command == "clocks")
                    std::printf("clocks %llu %.6f\n", static_cast<unsigned long long>(power->clocks), power->seconds());
                if (command == "cycle") {
                    power.reset();
                    power = std::make_unique<Power>(argc, argv, ++seed);
                    receiver.clear();
                    quiet = 0;
                    std::printf("cycled\n");
                }
                if (command == "settle") settling = true;
                std::fflush(stdout);
            }
            if (quiet >= kQuiet && host.received().empty()) {
                if (last_look) {
                    settling = false;
                    std::printf("settled\n");
                    std::fflush(stdout);
                }
                until_look = 0;
                continue;
            }
        }
        if (until_look) until_look--;
        if (!sender.busy() && !host.received().empty()) {
            sender.start(host.received().front());
            host.received().pop_front();
            until_look = 0;
        }
        const bool sending = sender.busy();
        const bool tx = power->tick(sender.next());
        const int byte = receiver.take(tx);
        while (byte >= 0 && !host.put(static_cast<unsigned char>(byte))) {
            if (errno != EAGAIN && errno != EINTR) fail("pseudo-terminal");
            if (!host.look(-1, true, commands)) return 0;
        }
        quiet = sending || receiver.busy() || power->busy() ? 0 : quiet + 1;
    }
}
