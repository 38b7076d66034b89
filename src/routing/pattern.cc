// See pattern.h.
#include "routing/pattern.h"

#include "routing/path.h"

namespace martlet::routing {

const char* Pattern::parse(std::string_view written, Pattern& pattern, const Constraints* constraints) {
  pattern.written = written;
  pattern.text.clear();
  pattern.params.clear();
  pattern.optional = false;
  pattern.segment_count = 0;
  return pattern.parse(constraints);
}

const char* Pattern::parse(const Constraints* constraints) {
  if (written == "*") {
    text = written;
    return nullptr;
  }
  if (!written.starts_with('/')) return "a path begins with '/'";
  for (std::string_view rest = written; !rest.empty();) {
    if (segment_count == kMaxSegments) return "a path has at most 100 segments";
    const std::string_view segment = cut_segment(rest);
    if (const char* wrong = add_segment(segment, rest.empty(), constraints)) return wrong;
    segment_count++;
  }
  return params.size() > kMaxParams ? "a path has at most 16 parameters (a '*' with a name counts as two)" : nullptr;
}

const char* Pattern::add_segment(std::string_view segment, bool is_last, const Constraints* constraints) {
  if (segment.starts_with(':') || segment.starts_with('[')) return add_param(segment, is_last, constraints);
  if (segment.starts_with('*')) {
    if (!is_last) return "'*' stands at the end of a path only";
    if (segment.ends_with('?')) return "'*' takes an empty rest as it is, without '?'";
    list[segment_count] = {Kind::wildcard, 0, 0, nullptr};
    const char* wrong = segment.size() > 1 ? add_name(segment.substr(1)) : nullptr;
    params.emplace_back("*");
    return wrong;
  }
  std::string judged;
  if (const char* wrong = judge_pattern({segment.data() - 1, segment.size() + 1}, judged)) return wrong;  // with its slash
  list[segment_count] = {Kind::text, static_cast<uint32_t>(text.size() + 1), static_cast<uint32_t>(judged.size() - 1), nullptr};
  text += judged;
  return nullptr;
}

const char* Pattern::add_param(std::string_view segment, bool is_last, const Constraints* constraints) {
  if (segment.ends_with('?')) {
    if (!is_last) return "'?' stands behind the last parameter of a path only";
    optional = true;
    segment.remove_suffix(1);
  }
  if (segment.starts_with('[')) {
    if (!segment.ends_with(']')) return "'[' begins a parameter, [name], which ends with its segment";
    segment.remove_suffix(1);
  }
  segment.remove_prefix(1);
  const Constraint* constraint = nullptr;
  if (const size_t open = segment.find('<'); open != std::string_view::npos) {
    if (!segment.ends_with('>')) return "a constraint, :name<constraint>, ends its segment";
    const std::string_view name = segment.substr(open + 1, segment.size() - open - 2);
    constraint = constraints ? constraints->find(name) : Constraints::find_builtin(name);
    if (!constraint) return "no such constraint: there are int, uuid, slug, alnum, and those given to constraint() before";
    segment = segment.substr(0, open);
  }
  list[segment_count] = {Kind::param, 0, 0, constraint};
  return add_name(segment);
}

const char* Pattern::add_name(std::string_view name) {
  if (name.empty()) return "a parameter needs a name";
  if (!is_name(name)) return "a parameter is a whole segment, and its name has letters, digits and '_'";
  for (const std::string& other : params) {
    if (other == name) return "a parameter's name stands twice in a path";
  }
  params.emplace_back(name);
  return nullptr;
}

}  // namespace martlet::routing
