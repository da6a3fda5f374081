// The printed form of a sweep plan: what `normforge show --stage=sweeps` says. The results of reductions, row values that points read, and
// values that are read more than once get a name; everything else stands inline.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "codegen/sweep_plan.h"

namespace normforge {
namespace {

// How an operation is written, and how tightly it binds (higher: tighter). "$0" is the first operand.
struct Spelling {
  Op op;
  const char *text;
  int binds;
};
constexpr int kTight = 9;
constexpr Spelling kInfix[] = {{Op::add, "+", 2},  {Op::sub, "-", 2},         {Op::mul, "*", 3},   {Op::div, "/", 3},
                               {Op::less, "<", 1}, {Op::less_equal, "<=", 1}, {Op::equal, "==", 1}};

std::string number(double value) {
  char text[32];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value || value != value)
      break;
  }
  return text;
}

class Printer {
public:
  Printer(const SweepPlan &plan, bool chunked) : plan_(plan), program_(plan.program()), chunked_(chunked) {}

  std::string print() {
    text_ = to_text(plan_.problem) + "\n";
    name_values();
    for (const Nest &nest : plan_.nests) {
      nest_ = &nest;
      text_ += nest.kept ? "for each " + axes(nest.kept) + "\n" : "once\n";
      line("", assignments(nest.rows, nest.row_writes));
      for (size_t i = 0; i < nest.sweeps.size(); ++i) {
        const Sweep &sweep = nest.sweeps[i];
        line(sweep_name(nest, i) + ": reads " + reads(sweep), statements(sweep));
        if (i + 1 == nest.sweeps.size() || !goes_again(nest.sweeps[i + 1]))
          for (size_t ended = i + 1 - (goes_again(sweep) ? 2 : 1); ended <= i; ++ended)
            line("then", assignments(nest.sweeps[ended].rows, nest.sweeps[ended].row_writes));
      }
    }
    return text_;
  }

private:
  const SweepPlan &plan_;
  const Program &program_;
  const bool chunked_;
  std::string text_;
  const Nest *nest_ = nullptr; // the one being printed
  std::map<NodeId, std::string> names_;

  bool goes_again(const Sweep &sweep) const { return chunked_ && !sweep.moments.empty(); }

  // A sweep that goes over each chunk again has the number of the one before it, and merges its reductions.
  std::string sweep_name(const Nest &nest, size_t index) const {
    if (goes_again(nest.sweeps[index]))
      return "  each chunk again";
    size_t number = 0;
    for (size_t i = 0; i <= index; ++i)
      number += !goes_again(nest.sweeps[i]);
    return "sweep " + std::to_string(number) + " over " + axes(nest.reduced);
  }

  // Names: a pivot s, a total t, an extreme m, another row value r, a point value p; numbered.
  void name_values() {
    std::map<NodeId, int> uses;
    std::set<NodeId> read_by_points;
    for (const Nest &nest : plan_.nests)
      for (const Node &user : program_.nodes)
        for (int i = 0; i < info(user.op).operands; ++i) {
          ++uses[user.operands[size_t(i)]];
          if (user.axes & nest.reduced)
            read_by_points.insert(user.operands[size_t(i)]);
        }
    std::map<char, int> numbers;
    const auto give = [&](NodeId id, char letter) {
      if (!is_leaf(id) && !names_.contains(id))
        names_[id] = letter + std::to_string(++numbers[letter]);
    };
    const int few = int(plan_.nests.size());
    for (const Nest &nest : plan_.nests) {
      const auto name_rows = [&](const std::vector<NodeId> &rows) {
        for (NodeId id : rows)
          if (node(id).op == Op::first)
            give(id, 's');
          else if (uses[id] > few || read_by_points.contains(id))
            give(id, 'r');
      };
      name_rows(nest.rows);
      for (const Sweep &sweep : nest.sweeps) {
        for (NodeId id : sweep.points)
          if (uses[id] > few)
            give(id, 'p');
        for (NodeId id : sweep.reductions)
          give(id, node(id).op == Op::sum ? 't' : 'm');
        name_rows(sweep.rows);
      }
    }
  }

  const Node &node(NodeId id) const { return program_.node(id); }
  bool is_leaf(NodeId id) const { return info(node(id).op).kind == OpInfo::leaf; }

  std::string axes(AxisSet set) const {
    std::string list;
    for (size_t i = 0; i < program_.axes.size(); ++i)
      if (set & axis_bit(int(i)))
        list += (list.empty() ? "" : ", ") + program_.axes[i].name;
    return list;
  }

  std::string reads(const Sweep &sweep) const {
    std::string list;
    std::set<int> seen;
    for (NodeId id : sweep.points)
      if (node(id).op == Op::tensor && seen.insert(node(id).symbol).second)
        list += (list.empty() ? "" : ", ") + program_.tensors[size_t(node(id).symbol)].name;
    return list.empty() ? "nothing" : list;
  }

  std::vector<std::string> statements(const Sweep &sweep) {
    std::vector<std::string> list;
    if (goes_again(sweep))
      for (const Moment &moment : sweep.moments)
        list.push_back(use(moment.mean) + " = " + use(moment.sum) + " / n, of the chunk");
    std::ranges::move(assignments(sweep.points, {}), std::back_inserter(list));
    for (NodeId id : sweep.reductions)
      list.push_back(names_[id] + " = " + define(id));
    for (const Write &write : sweep.writes)
      list.push_back("write " + tensor_name(write) + " = " + use(write.node));
    return list;
  }

  std::vector<std::string> assignments(const std::vector<NodeId> &nodes, const std::vector<Write> &writes) {
    std::vector<std::string> list;
    for (NodeId id : nodes)
      if (auto at = names_.find(id); at != names_.end())
        list.push_back(at->second + " = " + define(id));
    for (const Write &write : writes)
      list.push_back("write " + tensor_name(write) + " = " + use(write.node));
    return list;
  }

  std::string tensor_name(const Write &write) const {
    const size_t count = program_.tensors.size();
    return size_t(write.tensor) < count ? program_.tensors[size_t(write.tensor)].name
                                        : "temporary" + std::to_string(size_t(write.tensor) - count);
  }

  // The left column says where, the right column what; further statements stand below the first.
  void line(const std::string &where, const std::vector<std::string> &what) {
    if (what.empty() && where.empty())
      return;
    if (what.empty() && where == "then")
      return;
    constexpr size_t column = 48;
    std::string left = "  " + where;
    if (left.size() >= column) {
      text_ += left + "\n";
      left.clear();
    }
    for (const std::string &statement : what) {
      left.resize(column, ' ');
      text_ += left + statement + "\n";
      left.clear();
    }
    if (what.empty())
      text_ += left + "\n";
  }

  std::string use(NodeId id, int outer = 0) {
    if (auto at = names_.find(id); at != names_.end())
      return at->second;
    return define(id, outer);
  }

  std::string define(NodeId id, int outer = 0) {
    const Node &n = node(id);
    for (size_t i = 0; i < plan_.temporaries.size(); ++i)
      if (plan_.temporaries[i].node == id && &plan_.nests[size_t(plan_.temporaries[i].nest)] != nest_)
        return "temporary" + std::to_string(i);
    switch (n.op) {
    case Op::constant: return number(n.value);
    case Op::scalar: return program_.scalars[size_t(n.symbol)].name;
    case Op::tensor: return program_.tensors[size_t(n.symbol)].name;
    case Op::count: return count(n.over);
    case Op::cast: return std::string(name(n.dtype)) + "(" + use(n.operands[0]) + ")";
    case Op::pow: return use(n.operands[0], kTight) + "^" + number(n.value);
    case Op::neg: return "-" + use(n.operands[0], kTight);
    default: break;
    }
    for (const Spelling &spelling : kInfix)
      if (spelling.op == n.op) {
        const std::string text = use(n.operands[0], spelling.binds) + " " + spelling.text + " " + use(n.operands[1], spelling.binds + 1);
        return spelling.binds < outer ? "(" + text + ")" : text;
      }
    std::string text = std::string(info(n.op).name) + "(";
    for (int i = 0; i < info(n.op).operands; ++i)
      text += (i ? ", " : "") + use(n.operands[size_t(i)]);
    return text + ")";
  }

  std::string count(AxisSet over) const {
    int64_t product = 1;
    for (size_t i = 0; i < program_.axes.size(); ++i)
      if (over & axis_bit(int(i))) {
        const Extent &extent = plan_.specialized.axes[i].extent;
        if (!extent.fixed() || program_.axes[i].length >= 0)
          return "count(" + axes(over) + ")";
        product *= extent.lo;
      }
    return std::to_string(product);
  }
};

} // namespace

std::string to_text(const SweepPlan &plan, bool chunked) { return Printer(plan, chunked).print(); }

} // namespace normforge
