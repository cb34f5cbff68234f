// mlrt.native.model

#include "lua/bind_model.hpp"

#include <string>
#include <utility>
#include <vector>

#include "api/session.hpp"
#include "core/text.hpp"
#include "lua/bind_table.hpp"
#include "lua/bindings.hpp"
#include "lua/script_state.hpp"
#include "lua/values.hpp"
#include "model/evaluate.hpp"

namespace mlrt {
namespace {

using ModelHandle = std::shared_ptr<const Model>;

// load(uri): a bundle file or model folder needs no store, so none is opened for it.
int model_bind_load(lua_State* L) {
  return guard(L, [=] {
    const std::string uri(LuaArgs(L, "load_model").text(1, "uri"));
    const bool needs_store = starts_with(uri, "models:") || starts_with(uri, "runs:");
    const ModelHandle model =
        needs_store ? script_state(L).session().load_model(uri) : load_model(uri);
    protect(L, [&](lua_State* P) { push_handle(P, model); });
    return 1;
  });
}

int model_bind_predict(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:predict");
    const ModelHandle model = check_handle<const Model>(L, 1, args.name());
    const auto result =
        std::make_shared<const Table>(model->predict(*check_table(L, 2, args.name(), "table")));
    protect(L, [&](lua_State* P) { push_table_handle(P, result); });
    return 1;
  });
}

int model_bind_save(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "model:save");
    const ModelHandle model = check_handle<const Model>(L, 1, args.name());
    const std::string digest = save_model(*model, std::string(args.text(2, "path")));
    protect(L, [&](lua_State* P) { push_text(P, digest); });
    return 1;
  });
}

int model_bind_signature(lua_State* L) {
  return guard(L, [=] {
    const ModelHandle model = check_handle<const Model>(L, 1, "model.signature");
    protect(L, [&](lua_State* P) {
      lua_createtable(P, 0, 2);
      push_column_specs(P, model->signature().inputs);
      lua_setfield(P, -2, "inputs");
      push_column_specs(P, model->signature().outputs);
      lua_setfield(P, -2, "outputs");
    });
    return 1;
  });
}

int model_bind_flavor(lua_State* L) {
  return guard(L, [=] {
    const std::string flavor =
        check_handle<const Model>(L, 1, "model.flavor")->predictor().flavor();
    protect(L, [&](lua_State* P) { push_text(P, flavor); });
    return 1;
  });
}

int model_bind_to_string(lua_State* L) {
  return guard(L, [=] {
    std::string text = "a closed model";
    const ModelHandle* handle = test_handle<const Model>(L, 1);
    if (handle != nullptr && *handle != nullptr) {
      text = (*handle)->predictor().flavor() + " model of " +
             std::to_string((*handle)->signature().inputs.size()) + " columns";
    }
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

// evaluate(model, table, label, threshold): {accuracy_score = ..., ...}
int model_bind_evaluate(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "evaluate");
    const ModelHandle model = check_handle<const Model>(L, 1, args.name(), "model");
    const std::shared_ptr<const Table> table = check_table(L, 2, args.name(), "table");
    const std::string label(args.text(3, "label"));
    const double threshold = args.number(4, "threshold", 0.5);
    const Column& labels = table->column(label);
    if (!labels.is_numeric()) {
      throw Error(ErrorCode::kInvalidParameter,
                  "evaluate: the label column " + quoted(label) +
                      " must hold 0 and 1 or booleans, it holds strings");
    }
    const Table predicted = model->predict(*table);
    const Column& predictions = predicted.column("prediction");
    std::vector<double> truth;
    std::vector<double> probabilities;
    truth.reserve(table->row_count());
    probabilities.reserve(table->row_count());
    for (std::size_t row = 0; row < table->row_count(); ++row) {
      truth.push_back(labels.number(row));
      probabilities.push_back(predictions.number(row));
    }
    const auto metrics = evaluate_binary(truth, probabilities, threshold).named();
    protect(L, [&](lua_State* P) { push_numbers(P, metrics); });
    return 1;
  });
}

}  // namespace

template <>
const HandleKind& handle_kind<const Model>() {
  static constexpr HandleKind kKind{"a model", "mlrt.Model"};
  return kKind;
}

void push_column_specs(lua_State* L, const std::vector<ColumnSpec>& columns) {
  lua_createtable(L, static_cast<int>(columns.size()), 0);
  lua_Integer i = 0;
  for (const ColumnSpec& column : columns) {
    lua_createtable(L, 0, 3);
    set_text(L, "name", column.name);
    set_text(L, "type", column.type);
    lua_pushboolean(L, column.required);
    lua_setfield(L, -2, "required");
    lua_rawseti(L, -2, ++i);
  }
}

void open_model_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"load", model_bind_load}, {"evaluate", model_bind_evaluate}, {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {{"predict", model_bind_predict},
                                      {"save", model_bind_save},
                                      {"close", close_handle<const Model>},
                                      {nullptr, nullptr}};
  static const luaL_Reg kGetters[] = {
      {"signature", model_bind_signature}, {"flavor", model_bind_flavor}, {nullptr, nullptr}};
  static const luaL_Reg kMeta[] = {{"__tostring", model_bind_to_string},
                                   {"__gc", close_handle<const Model>},
                                   {"__close", close_handle<const Model>},
                                   {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<const Model>(), kMethods, kGetters, kMeta);
  lua_setfield(L, -2, "methods");
}

}  // namespace mlrt
