// Axes in memory order, as few as will do. An axis whose extent is 1 goes; neighbours a (outer), b (inner) become one axis a*b when
//
//   no reduction runs over either, and a count over both or none;
//   every tensor that is still read or written has both or neither, and is dense where it has both;
//   neither is ragged.
//
// A kernel for any extents and strides must give the same bits as one for these, so nothing here may change the order in which a reduction
// adds up (codegen/schedule.h). Hence reduced axes are never merged: whether they could be depends on strides. And the innermost axis,
// along which lanes run, only goes if the next one is kept by every reduction: a run of one element is then an element of a strided
// reduction.
#include "dsl/rewrite/rewrites.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace normforge::dialect {
namespace {

bool has(AxesAttr axes, StringAttr axis) { return llvm::is_contained(axes.getNames(), axis); }

/// The range of a product, saturating; an axis without a range has any extent.
DenseI64ArrayAttr product(DenseI64ArrayAttr a, DenseI64ArrayAttr b) {
  if (!a || !b)
    return {};
  auto times = [](int64_t x, int64_t y) { return llvm::MulOverflow(x, y, x) ? std::numeric_limits<int64_t>::max() : x; };
  return DenseI64ArrayAttr::get(a.getContext(), {times(a[0], b[0]), times(a[1], b[1])});
}

/// One axis of the result: the declarations that become it, outermost first.
using Group = SmallVector<AxisOp, 2>;

struct Collapse {
  FuncOp func;
  SmallVector<TensorOp> live;     // read, written or a length
  SmallVector<Operation *> overs; // reductions, counts and pivots
  SmallVector<Group> groups;

  explicit Collapse(FuncOp func) : func(func) {
    llvm::SmallDenseSet<StringAttr> used;
    for (Operation &op : func.getBody().getOps()) {
      if (auto tensor = op.getAttrOfType<FlatSymbolRefAttr>("tensor"))
        used.insert(tensor.getAttr());
      if (op.hasAttr("over"))
        overs.push_back(&op);
    }
    for (TensorOp tensor : func.declared<TensorOp>())
      if (tensor.getRole() == Role::length || used.contains(tensor.getSymNameAttr()))
        live.push_back(tensor);
  }

  AxesAttr over(Operation *op) { return op->getAttrOfType<AxesAttr>("over"); }

  bool is_dropped(AxisOp axis) {
    return llvm::none_of(groups, [&](const Group &group) { return llvm::is_contained(group, axis); });
  }

  bool is_reduced(AxisOp axis) {
    return llvm::any_of(overs, [&](Operation *op) { return !llvm::isa<CountOp>(op) && has(over(op), axis.getNameAttr()); });
  }

  bool may_drop(AxisOp axis) {
    const std::optional<ArrayRef<int64_t>> extent = axis.getExtent();
    if (!extent || (*extent)[0] != 1 || (*extent)[1] != 1 || axis.getLengthAttr() || groups.size() == 1)
      return false;
    const StringAttr name = axis.getNameAttr();
    for (TensorOp tensor : live)
      if (tensor.getRole() == Role::length && has(tensor.getAxes(), name))
        return false;
    if (groups.back().front() == axis && is_reduced(groups[groups.size() - 2].front()))
      return false;
    return llvm::none_of(overs, [&](Operation *op) {
      return has(over(op), name) &&
             llvm::all_of(over(op).getNames(), [&](StringAttr other) { return other == name || is_dropped(func.axis(other)); });
    });
  }

  bool may_merge(AxisOp outer, AxisOp inner) {
    if (outer.getLengthAttr() || inner.getLengthAttr())
      return false;
    const StringAttr a = outer.getNameAttr(), b = inner.getNameAttr();
    return !is_reduced(outer) && !is_reduced(inner) && llvm::all_of(overs, [&](Operation *op) {
      return has(over(op), a) == has(over(op), b);
    }) && llvm::all_of(live, [&](TensorOp tensor) {
      return has(tensor.getAxes(), a) == has(tensor.getAxes(), b) && (!has(tensor.getAxes(), a) || tensor.getStrides() == Strides::dense);
    });
  }

  void group_axes() {
    if (AxesAttr order = func.getOrderAttr())
      for (StringAttr name : order.getNames())
        groups.push_back({func.axis(name)});
    else
      for (AxisOp axis : func.declared<AxisOp>())
        groups.push_back({axis});
    for (size_t i = groups.size(); i-- > 0;)
      if (may_drop(groups[i].front()))
        groups.erase(&groups[i]);
    for (size_t i = groups.size(); i-- > 1;)
      if (may_merge(groups[i - 1].back(), groups[i].front())) {
        llvm::append_range(groups[i - 1], groups[i]);
        groups.erase(&groups[i]);
      }
  }

  /// Declares the groups before the old axes, and says which name each old axis has now.
  llvm::SmallDenseMap<StringAttr, StringAttr> declare_groups() {
    llvm::SmallDenseMap<StringAttr, StringAttr> renamed;
    OpBuilder builder = OpBuilder::atBlockBegin(&func.getSignature().front());
    for (Group &group : groups) {
      std::string name;
      SmallVector<int64_t> parts;
      bool pack = false;
      DenseI64ArrayAttr extent = group.front().getExtentAttr();
      for (AxisOp axis : group) {
        name += (name.empty() ? "" : "*") + axis.getName().str();
        llvm::append_range(parts, axis.getParts());
        pack |= axis.getPack();
        if (axis != group.front())
          extent = product(extent, axis.getExtentAttr());
      }
      for (AxisOp axis : group)
        renamed[axis.getNameAttr()] = builder.getStringAttr(name);
      AxisOp::create(builder, func.getLoc(), builder.getStringAttr(name), pack ? builder.getUnitAttr() : UnitAttr(),
                     group.front().getLengthAttr(), builder.getDenseI64ArrayAttr(parts), extent);
    }
    return renamed;
  }

  /// The axes of a tensor in memory order, under their new names.
  AxesAttr memory_order(TensorOp tensor, const llvm::SmallDenseMap<StringAttr, StringAttr> &renamed) {
    AxisNames names;
    for (const Group &group : groups)
      for (AxisOp axis : group)
        if (StringAttr name = renamed.lookup(axis.getNameAttr());
            has(tensor.getAxes(), axis.getNameAttr()) && !llvm::is_contained(names, name))
          names.push_back(name);
    return AxesAttr::get(func.getContext(), names);
  }

  /// `rows` promises that the innermost axis is contiguous; without that axis nothing is promised.
  bool loses_innermost(TensorOp tensor, ArrayRef<StringAttr> order) {
    for (StringAttr name : llvm::reverse(order))
      if (has(tensor.getAxes(), name))
        return is_dropped(func.axis(name));
    return false;
  }

  void run() {
    group_axes();
    AxisNames order;
    if (func.getOrderAttr())
      order = AxisNames(func.getOrderAttr().getNames());
    else
      for (AxisOp axis : func.declared<AxisOp>())
        order.push_back(axis.getNameAttr());
    const SmallVector<AxisOp> old = llvm::to_vector(func.declared<AxisOp>());
    for (TensorOp tensor : func.declared<TensorOp>())
      if (tensor.getStrides() == Strides::rows && loses_innermost(tensor, order))
        tensor.setStrides(Strides::any);
    const auto renamed = declare_groups();
    for (TensorOp tensor : func.declared<TensorOp>())
      tensor.setAxesAttr(memory_order(tensor, renamed));
    for (AxisOp axis : old)
      axis.erase();
    func.removeOrderAttr();
    for (Operation *op : overs) {
      AxisNames names;
      for (StringAttr axis : over(op).getNames())
        if (StringAttr name = renamed.lookup(axis); name && !llvm::is_contained(names, name))
          names.push_back(name);
      op->setAttr("over", AxesAttr::get(func.getContext(), names));
    }
    for (ReadOp read : func.computed<ReadOp>())
      read.getResult().setType(ValueType::get(
          func.getContext(), sorted_axes(func.getContext(), AxisNames(func.tensor(read.getTensorAttr()).getAxes().getNames()))));
    infer_types(func);
  }
};

} // namespace

void collapse_axes(FuncOp func) { Collapse(func).run(); }

} // namespace normforge::dialect
