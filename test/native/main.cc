// native_tests [FILTER]: runs all tests, or those whose name contains FILTER. Exit code 0: all passed, 1: some failed,
// 2: none was run.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "emulated_isa.h"
#include "harness.h"

namespace mobilenetv2::test {
namespace {

struct Test {
  const char* name;
  void (*body)();
};

std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

int failures_of_test = 0;
std::string skip_reason;

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace

Registration::Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }

void fail(const char* file, int line, const std::string& what) {
  constexpr int kShown = 5;
  if (failures_of_test++ < kShown) {
    std::printf("    %s:%d: %s (seed %llu)\n", file, line, what.c_str(), static_cast<unsigned long long>(seed()));
  }
}

void skip(const std::string& reason) { skip_reason = reason; }

uint64_t seed() { return static_cast<uint64_t>(from_environment("MOBILENETV2_TEST_SEED", 1)); }

int sweep() { return from_environment("MOBILENETV2_TEST_SWEEP", 1); }

}  // namespace mobilenetv2::test

int main(int argc, char** argv) {
  using namespace mobilenetv2;
  using namespace mobilenetv2::test;
  const char* filter = argc > 1 ? argv[1] : "";
  std::string isas;
  for (Isa isa : kAllIsas) {
    if (cpu_has(isa)) isas += std::string(isas.empty() ? "" : " ") + isa_name(isa);
  }
  std::printf("native tests, CPU offers: %s%s\n", isas.c_str(), emulates_avxvnni() ? "; emulated: avxvnni" : "");
  int passed = 0, failed = 0, skipped = 0;
  for (const Test& test : tests()) {
    if (std::strstr(test.name, filter) == nullptr) continue;
    failures_of_test = 0;
    skip_reason.clear();
    test.body();
    if (failures_of_test > 0) {
      ++failed;
      std::printf("  FAILED   %s (%d checks)\n", test.name, failures_of_test);
    } else if (!skip_reason.empty()) {
      ++skipped;
      std::printf("  skipped  %s: %s\n", test.name, skip_reason.c_str());
    } else {
      ++passed;
      std::printf("  passed   %s\n", test.name);
    }
    std::fflush(stdout);
  }
  std::printf("native: %d passed, %d failed, %d skipped\n", passed, failed, skipped);
  if (passed + failed + skipped == 0) {
    std::fprintf(stderr, "no test has \"%s\" in its name\n", filter);
    return 2;
  }
  return failed == 0 ? 0 : 1;
}
