// The test runner of every test binary.
//
// What the library logs while a test runs is kept, and shown when the test fails: many tests are about errors. It is kept in
// a file without a name, not in memory, so that what a test's child processes log is there, too.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <martlet/log.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr long kMostShown = 64 * 1024;

int new_file() {
  char path[] = "/tmp/martlet-test-log-XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0) return -1;
  ::unlink(path);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_APPEND);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

class KeptLog : public doctest::IReporter {
 public:
  explicit KeptLog(const doctest::ContextOptions&) {}

  void test_run_start() override { fd_ = new_file(); }
  // For each test anew: some have a sink of their own.
  void test_case_start(const doctest::TestCaseData&) override {
    if (fd_ < 0) return;
    (void)!::ftruncate(fd_, 0);
    martlet::set_log_sink([fd = fd_](martlet::LogLevel, std::string_view line) {
      const std::string whole = "  log: " + std::string(line) + "\n";
      (void)!::write(fd, whole.data(), whole.size());
    });
  }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (fd_ < 0 || stats.testCaseSuccess) return;
    std::string text(kMostShown, '\0');
    const ssize_t got = ::pread(fd_, text.data(), text.size(), 0);
    if (got > 0) (void)!::write(STDERR_FILENO, text.data(), static_cast<size_t>(got));
  }
  void test_run_end(const doctest::TestRunStats&) override {
    martlet::set_log_sink({});
    if (fd_ >= 0) ::close(fd_);
  }

  void report_query(const doctest::QueryData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  int fd_ = -1;
};

DOCTEST_REGISTER_LISTENER("kept_log", 1, KeptLog);

}  // namespace
