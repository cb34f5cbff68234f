// mlrt.native.table

#include "lua/bind_table.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/fs.hpp"
#include "core/text.hpp"
#include "data/csv.hpp"
#include "lua/bindings.hpp"
#include "lua/table_values.hpp"
#include "lua/values.hpp"

namespace mlrt {
namespace {

using TableHandle = std::shared_ptr<const Table>;

std::size_t table_row_argument(const LuaArgs& args, int index, const Table& table) {
  const std::int64_t row = args.integer(index, "row");
  if (row < 1 || static_cast<std::uint64_t>(row) > table.row_count()) {
    throw Error(ErrorCode::kInvalidParameter, std::string(args.name()) + ": there is no row " +
                                                  std::to_string(row) + "; the table has " +
                                                  std::to_string(table.row_count()) + " rows");
  }
  return static_cast<std::size_t>(row - 1);
}

int table_push_result(lua_State* L, Table table) {
  const TableHandle shared = std::make_shared<const Table>(std::move(table));
  protect(L, [&](lua_State* P) { push_table_handle(P, shared); });
  return 1;
}

// read_csv(path, separator, header, columns)
int table_bind_read_csv(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "read_csv");
    const std::string path(args.text(1, "path"));
    CsvOptions options;
    const std::string separator = args.text(2, "separator", ",");
    if (separator.size() != 1) {
      throw Error(ErrorCode::kInvalidParameter,
                  "read_csv: 'separator' must be one character, got " + quoted(separator));
    }
    options.separator = separator[0];
    options.header = args.boolean(3, "header", true);
    options.column_names = args.texts(4, "columns");
    return table_push_result(L, parse_csv(fs::read_file(path), path, options));
  });
}

// from(data, columns)
int table_bind_from(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table");
    args.require_table(1, "data");
    return table_push_result(L, read_table_value(L, 1, args.texts(2, "columns"), "table"));
  });
}

int table_bind_length(lua_State* L) {
  return guard(L, [=] {
    lua_pushinteger(
        L, static_cast<lua_Integer>(check_handle<const Table>(L, 1, "#table")->row_count()));
    return 1;
  });
}

int table_bind_to_string(lua_State* L) {
  return guard(L, [=] {
    std::string text = "a closed table";
    const TableHandle* handle = test_handle<const Table>(L, 1);
    if (handle != nullptr && *handle != nullptr) {
      text = "table of " + std::to_string((*handle)->row_count()) + " rows and " +
             std::to_string((*handle)->column_count()) + " columns";
    }
    protect(L, [&](lua_State* P) { push_text(P, text); });
    return 1;
  });
}

int table_bind_columns(lua_State* L) {
  return guard(L, [=] {
    const std::vector<std::string> names =
        check_handle<const Table>(L, 1, "table:columns")->column_names();
    protect(L, [&](lua_State* P) { push_texts(P, names); });
    return 1;
  });
}

// types(): {name = "double"}
int table_bind_types(lua_State* L) {
  return guard(L, [=] {
    const TableHandle table = check_handle<const Table>(L, 1, "table:types");
    protect(L, [&](lua_State* P) {
      lua_newtable(P);
      for (const Column& column : table->columns()) {
        push_text(P, column.name());
        lua_pushstring(P, column_type_name(column.type()));
        lua_rawset(P, -3);
      }
    });
    return 1;
  });
}

int table_bind_column(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:column");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    const Column& column = table->column(args.text(2, "name"));
    protect(L, [&](lua_State* P) {
      lua_createtable(P, static_cast<int>(std::min<std::size_t>(column.size(), 1u << 30)), 0);
      for (std::size_t row = 0; row < column.size(); ++row) {
        push_cell(P, column, row);
        lua_rawseti(P, -2, static_cast<lua_Integer>(row + 1));
      }
    });
    return 1;
  });
}

int table_bind_row(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:row");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    const std::size_t row = table_row_argument(args, 2, *table);
    protect(L, [&](lua_State* P) {
      lua_createtable(P, 0, static_cast<int>(table->column_count()));
      for (const Column& column : table->columns()) {
        if (column.is_missing(row)) continue;
        push_text(P, column.name());
        push_cell(P, column, row);
        lua_rawset(P, -3);
      }
    });
    return 1;
  });
}

// with(name, values): the table with that column added or replaced.
int table_bind_with(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:derive");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    const std::string name(args.text(2, "name"));
    args.require_table(3, "values");
    Table result = *table;
    result.set(read_column_value(L, 3, name, table->row_count(), args.name()));
    return table_push_result(L, std::move(result));
  });
}

int table_bind_select(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:select");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    args.require_table(2, "names");
    return table_push_result(L, table->select(args.texts(2, "names")));
  });
}

// take(rows): the rows of those numbers, in that order.
int table_bind_take(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:take");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    args.require_table(2, "rows");
    std::vector<std::size_t> rows;
    const std::size_t count = lua_rawlen(L, 2);
    lua_settop(L, 2);
    for (std::size_t i = 1; i <= count; ++i) {
      lua_rawgeti(L, 2, static_cast<lua_Integer>(i));
      rows.push_back(table_row_argument(args, 3, *table));
      lua_settop(L, 2);
    }
    return table_push_result(L, table->take(rows));
  });
}

// split(weights): one table a weight.
int table_bind_split(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:split");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    args.require_table(2, "weights");
    std::vector<std::uint32_t> weights;
    const std::size_t count = lua_rawlen(L, 2);
    if (count > 1000)
      throw Error(ErrorCode::kInvalidParameter, "table:split: at most 1000 weights");
    lua_settop(L, 2);
    for (std::size_t i = 1; i <= count; ++i) {
      lua_rawgeti(L, 2, static_cast<lua_Integer>(i));
      const std::int64_t weight = args.integer(3, "weights");
      if (weight < 0 || weight > (std::int64_t{1} << 31)) {
        throw Error(ErrorCode::kInvalidParameter,
                    "table:split: each weight must be from 0 to 2^31");
      }
      weights.push_back(static_cast<std::uint32_t>(weight));
      lua_settop(L, 2);
    }
    std::vector<TableHandle> parts;
    for (Table& part : table->split(weights))
      parts.push_back(std::make_shared<const Table>(std::move(part)));
    protect(L, [&](lua_State* P) {
      luaL_checkstack(P, static_cast<int>(parts.size()), "too many parts");
      for (const TableHandle& part : parts) push_table_handle(P, part);
    });
    return static_cast<int>(parts.size());
  });
}

int table_bind_digest(lua_State* L) {
  return guard(L, [=] {
    const std::string digest = check_handle<const Table>(L, 1, "table:digest")->digest();
    protect(L, [&](lua_State* P) { push_text(P, digest); });
    return 1;
  });
}

int table_bind_to_csv(lua_State* L) {
  return guard(L, [=] {
    const LuaArgs args(L, "table:to_csv");
    const TableHandle table = check_handle<const Table>(L, 1, args.name());
    const std::string path(args.text(2, "path"));
    fs::write_file(path, format_csv(*table));
    return 0;
  });
}

}  // namespace

template <>
const HandleKind& handle_kind<const Table>() {
  static constexpr HandleKind kKind{"a table of mlrt", "mlrt.Table"};
  return kKind;
}

std::shared_ptr<const Table> check_table(lua_State* L, int index, const char* function,
                                         const char* argument) {
  if (lua_type(L, index) == LUA_TTABLE) {
    return std::make_shared<const Table>(read_table_value(L, index, {}, function));
  }
  return check_handle<const Table>(L, index, function, argument);
}

void push_table_handle(lua_State* L, const std::shared_ptr<const Table>& table) {
  push_handle(L, table);
  // The collector sees only the handle: without this, a loop that makes tables would fill the
  // memory.
  const std::size_t size_kb = table->row_count() * table->column_count() * 16 / 1024;
  if (size_kb >= 64)
    lua_gc(L, LUA_GCSTEP, static_cast<int>(std::min<std::size_t>(size_kb, 1u << 20)));
}

void open_table_module(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"read_csv", table_bind_read_csv}, {"from", table_bind_from}, {nullptr, nullptr}};
  static const luaL_Reg kMethods[] = {{"columns", table_bind_columns},
                                      {"types", table_bind_types},
                                      {"column", table_bind_column},
                                      {"row", table_bind_row},
                                      {"with", table_bind_with},
                                      {"select", table_bind_select},
                                      {"take", table_bind_take},
                                      {"split", table_bind_split},
                                      {"digest", table_bind_digest},
                                      {"to_csv", table_bind_to_csv},
                                      {"close", close_handle<const Table>},
                                      {nullptr, nullptr}};
  static const luaL_Reg kMeta[] = {{"__len", table_bind_length},
                                   {"__tostring", table_bind_to_string},
                                   {"__gc", close_handle<const Table>},
                                   {"__close", close_handle<const Table>},
                                   {nullptr, nullptr}};
  lua_newtable(L);
  set_functions(L, kFunctions);
  lua_handle::make_metatable(L, handle_kind<const Table>(), kMethods, nullptr, kMeta);
  lua_setfield(L, -2, "methods");
}

}  // namespace mlrt
