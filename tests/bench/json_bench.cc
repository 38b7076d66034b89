// How fast Json reads and writes, beside RapidJSON, simdjson, nlohmann/json and yyjson where those are installed. Prints
// Markdown tables: MB/s of text, medians over the rounds, and how many times as fast as the others.
//
//   make bench-json YYJSON=folder/of/yyjson.c, or: taskset -c 1 build/bench/json_bench [ROUNDS]
//
// What is timed: a text in memory to a tree and the tree's end; a tree to text in memory that its library owns. RapidJSON is taken
// at its fastest that checks UTF-8 (Document::Parse with kParseValidateEncodingFlag, StringBuffer reused); yyjson with its defaults,
// simdjson with one parser reused and nothing of the tree looked at. In a round each takes its turn. CPU time; MB are 10^6 bytes.
#include <martlet/json.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "bench/json_corpus.h"

#if MARTLET_BENCH_RAPIDJSON
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#endif
#if MARTLET_BENCH_YYJSON
#include <yyjson.h>
#endif
#if MARTLET_BENCH_SIMDJSON
#include <simdjson.h>
#endif
#if MARTLET_BENCH_NLOHMANN
#include <nlohmann/json.hpp>
#endif

using namespace martlet;
using namespace martlet::bench;

namespace {

constexpr double kLeastSeconds = 0.04;  // of one library in one round

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "json_bench: %s\n", what);
  std::exit(1);
}

struct Runner {
  std::string name;
  std::function<void()> run;
  std::vector<double> speeds = {};
};

void run_round(Runner& runner, size_t bytes) {
  size_t passes = 0;
  const std::clock_t from = std::clock();
  double seconds = 0;
  while (seconds < kLeastSeconds) {
    for (size_t i = 0; i < 1 + 100'000 / bytes; i++, passes++) runner.run();
    seconds = static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC;
  }
  runner.speeds.push_back(static_cast<double>(bytes * passes) / seconds / 1e6);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double quotient(const Runner& ours, const Runner& other) {
  std::vector<double> of_rounds;
  for (size_t i = 0; i < ours.speeds.size(); i++) of_rounds.push_back(ours.speeds[i] / other.speeds[i]);
  return median(of_rounds);
}

void compare(const JsonDocument& document, const char* what, std::vector<Runner> runners, int rounds) {
  for (int round = 0; round < rounds; round++) {
    for (Runner& runner : runners) run_round(runner, document.text.size());
  }
  for (const Runner& runner : runners) {
    std::printf("| %s | %s | %s | %.0f | %.2f |\n", document.name.c_str(), what, runner.name.c_str(), median(runner.speeds), quotient(runners.front(), runner));
  }
}

// The API message as types of one's own.
struct Customer {
  std::string id, name, email;
  bool verified = false;
};
MARTLET_JSON(Customer, id, name, email, verified)
struct Item {
  std::string sku;
  int quantity = 0;
  double price = 0;
  std::string title;
};
MARTLET_JSON(Item, sku, quantity, price, title)
struct Order {
  int64_t id = 0;
  std::string type, created_at;
  Customer customer;
  std::vector<Item> items;
  double total = 0;
  std::string currency;
  std::optional<std::string> note;
};
MARTLET_JSON(Order, id, type, created_at, customer, items, total, currency, note)

// Out of a tree, each member looked up by its name: what one would write without MARTLET_JSON.
Order order_of(const Json& tree) {
  const Json& customer = tree["customer"];
  Order order{tree["id"].int_or(0), std::string(tree["type"].text_or("")), std::string(tree["created_at"].text_or("")),
              {std::string(customer["id"].text_or("")), std::string(customer["name"].text_or("")), std::string(customer["email"].text_or("")),
               customer["verified"].bool_or(false)},
              {}, tree["total"].number_or(0), std::string(tree["currency"].text_or("")), tree["note"].as<std::string>()};
  for (const Json& item : tree["items"].items()) {
    order.items.push_back({std::string(item["sku"].text_or("")), static_cast<int>(item["quantity"].int_or(0)), item["price"].number_or(0),
                           std::string(item["title"].text_or(""))});
  }
  return order;
}

void compare_own(const JsonDocument& document, int rounds) {
  const std::string& text = document.text;
  const JsonResult<Json> tree = Json::parse(text);
  const Order order = order_of(*tree);
  must(Json(*Json::to<Order>(text)) == Json(order), "the ways to read an order differ");
  compare(document, "read", {{"own type", [&] { must(Json::to<Order>(text)->items.size() == order.items.size(), "not read"); }},
                             {"tree, members by name", [&] { must(order_of(*Json::parse(text)).items.size() == order.items.size(), "not read"); }}}, rounds);
  const auto write = [](const auto& value) {
    JsonWriter out;
    out.value(value);
    must(out.ok(), "not written");
  };
  compare(document, "write", {{"own type", [&] { write(order); }}, {"tree that is there", [&] { write(*tree); }}}, rounds);
}

void compare_parsing(const JsonDocument& document, int rounds) {
  const std::string& text = document.text;
  std::vector<Runner> runners;
  runners.push_back({"martlet", [&] { must(Json::parse(text).ok(), "martlet refuses it"); }});
#if MARTLET_BENCH_RAPIDJSON
  runners.push_back({"RapidJSON", [&] {
    rapidjson::Document tree;
    tree.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
    must(!tree.HasParseError(), "RapidJSON refuses it");
  }});
#endif
#if MARTLET_BENCH_YYJSON
  runners.push_back({"yyjson", [&] {
    yyjson_doc* tree = yyjson_read(text.data(), text.size(), 0);
    must(tree != nullptr, "yyjson refuses it");
    yyjson_doc_free(tree);
  }});
#endif
#if MARTLET_BENCH_SIMDJSON
  static simdjson::dom::parser parser;
  const auto padded = std::make_shared<simdjson::padded_string>(text);
  runners.push_back({"simdjson", [padded] { must(parser.parse(*padded).error() == simdjson::SUCCESS, "simdjson refuses it"); }});
#endif
#if MARTLET_BENCH_NLOHMANN
  runners.push_back({"nlohmann", [&] { must(!nlohmann::json::parse(text, nullptr, false).is_discarded(), "nlohmann refuses it"); }});
#endif
  compare(document, "parse", std::move(runners), rounds);
}

void compare_dumping(const JsonDocument& document, int rounds) {
  const std::string& text = document.text;
  const JsonResult<Json> ours = Json::parse(text);
  std::vector<Runner> runners;
  runners.push_back({"martlet", [&] {
    JsonWriter out;
    out.value(*ours);
    must(out.ok(), "martlet cannot write it");
  }});
#if MARTLET_BENCH_RAPIDJSON
  rapidjson::Document rapid;
  rapid.Parse(text.data(), text.size());
  rapidjson::StringBuffer buffer;
  runners.push_back({"RapidJSON", [&] {
    buffer.Clear();
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    must(rapid.Accept(writer), "RapidJSON cannot write it");
  }});
#endif
#if MARTLET_BENCH_YYJSON
  yyjson_doc* yy = yyjson_read(text.data(), text.size(), 0);
  runners.push_back({"yyjson", [yy] {
    size_t size = 0;
    char* out = yyjson_write(yy, 0, &size);
    must(out != nullptr, "yyjson cannot write it");
    std::free(out);
  }});
#endif
#if MARTLET_BENCH_NLOHMANN
  const nlohmann::json nl = nlohmann::json::parse(text);
  runners.push_back({"nlohmann", [&] { must(!nl.dump().empty(), "nlohmann cannot write it"); }});
#endif
  compare(document, "dump", std::move(runners), rounds);
#if MARTLET_BENCH_YYJSON
  yyjson_doc_free(yy);
#endif
}

#if defined(__GLIBC__)
size_t heap_bytes() {
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

// What a tree takes, on average over many, so that what the allocator keeps at hand does not count.
template <typename Make>
size_t bytes_of(size_t text_bytes, Make&& make) {
  using Tree = decltype(make());
  const size_t count = 1 + 1'000'000 / text_bytes;
  std::vector<Tree> trees;
  trees.reserve(count);
  const size_t before = heap_bytes();
  for (size_t i = 0; i < count; i++) trees.push_back(make());
  return (heap_bytes() - before) / count;
}

void compare_memory(const JsonDocument& document) {
  const std::string& text = document.text;
  std::printf("| %s | %zu | %zu |", document.name.c_str(), text.size(), bytes_of(text.size(), [&] { return *Json::parse(text); }));
#if MARTLET_BENCH_RAPIDJSON
  rapidjson::Document rapid;
  rapid.Parse(text.data(), text.size());
  std::printf(" %zu |", rapid.GetAllocator().Size());  // what it uses: its chunks are larger
#endif
#if MARTLET_BENCH_YYJSON
  using Document = std::unique_ptr<yyjson_doc, void (*)(yyjson_doc*)>;
  std::printf(" %zu |", bytes_of(text.size(), [&] { return Document(yyjson_read(text.data(), text.size(), 0), yyjson_doc_free); }));
#endif
  std::printf("\n");
}
#else
void compare_memory(const JsonDocument&) {}
#endif

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  std::printf("| document | what | library | MB/s | martlet is so many times as fast |\n|---|---|---|---|---|\n");
  const std::vector<JsonDocument> corpus = json_corpus();
  for (const JsonDocument& document : corpus) {
    compare_parsing(document, rounds);
    compare_dumping(document, rounds);
  }
  compare_own(corpus.back(), rounds);
  std::printf("\n| document | bytes of text | of martlet's tree | of RapidJSON's | of yyjson's |\n|---|---|---|---|---|\n");
  for (const JsonDocument& document : corpus) compare_memory(document);
  return 0;
}
