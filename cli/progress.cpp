#include "cli/progress.h"

#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "llvm/Support/FormatVariadic.h"

namespace normforge::cli {
namespace {

constexpr auto kTerminalPause = std::chrono::milliseconds(100);
constexpr auto kPlainPause = std::chrono::seconds(10);

/// The problem comes last: it is what a narrow terminal can do without.
std::string line(const Progress &at) {
  std::string text = llvm::formatv("[{0}/{1}] {2}", at.problem, at.problems, at.doing);
  if (at.shape)
    text += llvm::formatv(" shape {0} of {1}", at.shape, at.shapes);
  text += llvm::formatv(", {0} of {1} alive", at.alive, std::max(at.alive, at.tried));
  if (at.best.pairs)
    text += ", best " + gain_text(at.best);
  if (at.noise > 0)
    text += llvm::formatv(", noise {0:F1} %", 100 * std::expm1(at.noise));
  for (const auto &[cause, count] : at.rejected)
    text += llvm::formatv(", {0} rejected ({1})", count, cause);
  if (at.seconds_left >= 0)
    text += ", " + duration_text(at.seconds_left) + " left";
  return text + ": " + at.text;
}

size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

} // namespace

std::string gain_text(const LogRatio &ratio) {
  if (ratio.pairs < kLeastPairs)
    return llvm::formatv("{0:F2}x", std::exp(-ratio.value));
  return llvm::formatv("{0:F2}x ({1:F2}x to {2:F2}x)", std::exp(-ratio.value), std::exp(-ratio.hi), std::exp(-ratio.lo));
}

std::string duration_text(double seconds) {
  const int whole = int(std::lround(seconds));
  return whole < 100 ? llvm::formatv("{0} s", whole).str() : llvm::formatv("{0} min {1} s", whole / 60, whole % 60).str();
}

ProgressLine::ProgressLine() : terminal(::isatty(STDERR_FILENO)) {}

void ProgressLine::show(const Progress &at) {
  const auto now = std::chrono::steady_clock::now();
  const bool fresh = at.problem != written;
  if (!fresh && now - last < (terminal ? std::chrono::steady_clock::duration(kTerminalPause) : kPlainPause))
    return;
  written = at.problem;
  last = now;
  const std::string text = line(at);
  if (terminal)
    std::fprintf(stderr, "\r\033[K%s", text.substr(0, terminal_width() - 1).c_str());
  else
    std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (terminal)
    std::fputs("\r\033[K", stderr);
}

} // namespace normforge::cli
