// What a limiter's decisions cost, in processor time. Each case prints its figures; nothing is judged here.
//
//   limits_bench decide [KEYS]     decisions in a second on one thread, for each algorithm: keys of 16 bytes (addresses) in random
//                                  order, all of which have been seen before; with the system's clock, and with one that costs
//                                  nothing; and bytes for each key. Beside it the time of one read of a random place in as much
//                                  memory, each waiting for the one before: what a miss of the cache is on this machine
//   limits_bench bulk [KEYS]       the same by 64 at a time
//   limits_bench threads [KEYS]    the same by 1, 2 and 3 threads that share one table
#include <martlet/limits.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace martlet;

namespace {


std::chrono::nanoseconds still() noexcept { return std::chrono::hours(1); }

// Of this thread on a processor, so that others on the machine count only by what they take of its caches.
double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Keys {
  explicit Keys(uint32_t count) : bytes(size_t{count} * 16), order(size_t{count} * 4) {
    std::mt19937_64 random(1);
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = random();
      std::memcpy(&bytes[i], &word, 8);
    }
    for (uint32_t& index : order) index = static_cast<uint32_t>(random() % count);
  }
  std::string_view operator[](uint32_t i) const { return {&bytes[size_t{i} * 16], 16}; }

  std::vector<char> bytes;
  std::vector<uint32_t> order;
};

RateLimiterOptions options(Limit algorithm, uint32_t keys, MonotonicClock clock) {
  return {.algorithm = algorithm, .burst = 5, .clock = clock, .max = algorithm == Limit::sliding_log ? 5u : 100u, .max_keys = keys};
}

// Decisions in a second. The keys themselves are read in the order of a stream of requests: where a request is, its address is.
double rate_of(RateLimiter& limiter, const Keys& keys) {
  std::vector<char> stream(keys.order.size() * 16);
  for (size_t i = 0; i < keys.order.size(); i++) std::memcpy(&stream[i * 16], keys[keys.order[i]].data(), 16);
  uint64_t allowed = 0;
  const double start = processor_seconds();
  for (size_t i = 0; i < stream.size(); i += 16) allowed += limiter.allow(std::string_view(&stream[i], 16)).allowed;
  const double seconds = processor_seconds() - start;
  return allowed ? static_cast<double>(keys.order.size()) / seconds : 0;
}

double bulk_rate_of(RateLimiter& limiter, const Keys& keys) {
  std::vector<char> stream(keys.order.size() * 16);
  for (size_t i = 0; i < keys.order.size(); i++) std::memcpy(&stream[i * 16], keys[keys.order[i]].data(), 16);
  std::vector<std::string_view> some(64);
  std::vector<RateDecision> decisions(64);
  uint64_t allowed = 0;
  const double start = processor_seconds();
  for (size_t i = 0; i + 64 * 16 <= stream.size(); i += 64 * 16) {
    for (size_t k = 0; k < 64; k++) some[k] = {&stream[i + k * 16], 16};
    limiter.allow(some, decisions);
    allowed += decisions[0].allowed;
  }
  const double seconds = processor_seconds() - start;
  return allowed ? static_cast<double>(keys.order.size()) / seconds : 0;
}

// A walk through all places of as many bytes in random order.
double ns_of_a_miss(size_t bytes) {
  const size_t places = bytes / 128;
  std::vector<uint32_t> order(places);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin() + 1, order.end(), std::mt19937(1));
  std::vector<uint32_t> next(places * 32);
  for (size_t i = 0; i < places; i++) next[size_t{order[i]} * 32] = order[(i + 1) % places];
  uint32_t at = 0;
  const double start = processor_seconds();
  for (size_t i = 0; i < 5'000'000; i++) at = next[size_t{at} * 32];
  const double seconds = processor_seconds() - start;
  return at == UINT32_MAX ? 0 : seconds / 5'000'000 * 1e9;
}

constexpr std::pair<Limit, const char*> kAll[] = {{Limit::fixed_window, "fixed_window"},
                                                  {Limit::gcra, "gcra"},
                                                  {Limit::sliding_log, "sliding_log of 5"},
                                                  {Limit::sliding_window, "sliding_window"},
                                                  {Limit::token_bucket, "token_bucket"}};

void decide(uint32_t count) {
  const Keys keys(count);
  for (const auto& [algorithm, name] : kAll) {
    RateLimiter real(options(algorithm, count, nullptr)), without(options(algorithm, count, still));
    for (uint32_t i = 0; i < count; i++) real.allow(keys[i]), without.allow(keys[i]);
    const double sharing = 100.0 * static_cast<double>(real.shared()) / count;
    const double with_clock = rate_of(real, keys);
    const double alone = rate_of(without, keys);
    std::printf("%-17s %5.1f million a second (%4.1f ns), without the clock %5.1f (%4.1f ns); %.1f bytes for each key; %.2f %% of keys share a place\n",
                name, with_clock / 1e6, 1e9 / with_clock, alone / 1e6, 1e9 / alone, static_cast<double>(real.bytes()) / count, sharing);
  }
  const size_t bytes = RateLimiter(options(Limit::gcra, count, nullptr)).bytes();
  std::printf("one read of a random place in %.1f MB: %.1f ns\n", static_cast<double>(bytes) / 1e6, ns_of_a_miss(bytes));
}

void bulk(uint32_t count) {
  const Keys keys(count);
  for (const auto& [algorithm, name] : kAll) {
    RateLimiter limiter(options(algorithm, count, nullptr));
    for (uint32_t i = 0; i < count; i++) limiter.allow(keys[i]);
    const double rate = bulk_rate_of(limiter, keys);
    std::printf("%-17s %5.1f million a second (%4.1f ns)\n", name, rate / 1e6, 1e9 / rate);
  }
}

void threads(uint32_t count) {
  const Keys keys(count);
  for (const int n : {1, 2, 3}) {
    RateLimiter limiter(options(Limit::sliding_window, count, nullptr));
    for (uint32_t i = 0; i < count; i++) limiter.allow(keys[i]);
    std::vector<std::thread> all;
    std::vector<double> rates(static_cast<size_t>(n));
    for (int t = 0; t < n; t++) all.emplace_back([&, t] { rates[static_cast<size_t>(t)] = rate_of(limiter, keys); });
    for (std::thread& thread : all) thread.join();
    std::printf("%d threads: %.1f million a second together\n", n, std::accumulate(rates.begin(), rates.end(), 0.0) / 1e6);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const auto keys = static_cast<uint32_t>(argc > 2 ? std::atoi(argv[2]) : 1'000'000);
  if (what == "decide") return decide(keys), 0;
  if (what == "bulk") return bulk(keys), 0;
  if (what == "threads") return threads(keys), 0;
  std::puts("limits_bench decide|bulk|threads [KEYS]");
  return 1;
}
