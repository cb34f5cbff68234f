local t = require "harness"
local mlrt = require "mlrt"

local people = mlrt.table({ name = { "Ann", "Bob", nil, "Dan" }, age = { 31, 42, 25, 37 }, score = { 1, 0.5, nil, 2 },
  member = { true, false, true, nil } }, { columns = { "name", "age" } })

t.test("a table of columns has the order of the option, then that of the names", function()
  t.list_equal(people:columns(), { "name", "age", "member", "score" })
  t.equal(#people, 4)
  t.equal(tostring(people), "table of 4 rows and 4 columns")
end)

t.test("a column takes the narrowest type that holds its values", function()
  local types = people:types()
  t.equal(types.name, "string")
  t.equal(types.age, "long")
  t.equal(types.score, "double")
  t.equal(types.member, "boolean")
  t.equal(mlrt.table({ { x = mlrt.json.null }, { x = mlrt.json.null } }):types().x, "double")
end)

t.test("column gives the values with nil where one is missing", function()
  local names = people:column("name")
  t.equal(names[1], "Ann")
  t.equal(names[3], nil)
  t.equal(names[4], "Dan")
  t.equal(people:column("age")[2], 42)
  t.equal(people:column("score")[1], 1.0)
  t.equal(people:column("member")[2], false)
  t.fails("invalid_parameter", { "'nam'", "did you mean 'name'?" }, function() people:column("nam") end)
end)

t.test("row gives one row without what is missing", function()
  local row = people:row(3)
  t.equal(row.age, 25)
  t.equal(row.name, nil)
  t.fails("invalid_parameter", { "no row 5", "4 rows" }, function() people:row(5) end)
  t.fails("invalid_parameter", "no row 0", function() people:row(0) end)
  t.fails("invalid_parameter", "'row' must be a whole number, got a number", function() people:row(1.5) end)
end)

t.test("a list of rows is the same table", function()
  local rows = {}
  for row, number in people:rows() do rows[number] = row end
  t.equal(#rows, 4)
  local again = mlrt.table(rows, { columns = { "name", "age" } })
  t.equal(again:digest(), people:digest())
end)

t.test("derive adds a column of the callback's values, and leaves the old table as it was", function()
  local derived = people:derive("old", function(row) return row.age > 35 end)
  t.list_equal(derived:column("old"), { false, true, false, true })
  t.equal(#people:columns(), 4)
  t.equal(derived:derive("old", function() return 7 end):column("old")[4], 7)
  t.equal(#derived:derive("none", function() return nil end):column("none"), 0)
  t.fails("invalid_parameter", "must be a function, got a number", function() people:derive("x", 5) end)
  t.fails("invalid_parameter", "row 2", function()
    people:derive("x", function(row) return row.name == "Bob" and "text" or 1 end)
  end)
end)

t.test("an error in a callback keeps its line and value", function()
  local good, e = pcall(people.derive, people, "x", function() error("no luck") end)
  t.ok(not good)
  t.ok(e:find("table_script.lua:%d+: no luck"), e)
  local value = {}
  t.equal(select(2, pcall(people.filter, people, function() error(value) end)), value)
end)

t.test("a callback may yield", function()
  local step = coroutine.wrap(function()
    return people:derive("n", function(row) return coroutine.yield(row.age) end)
  end)
  t.equal(step(), 31)
  t.equal(step(1), 42)
  t.equal(step(2), 25)
  t.equal(step(3), 37)
  t.list_equal(step(4):column("n"), { 1, 2, 3, 4 })
end)

t.test("with adds a list of values", function()
  t.list_equal(people:with("k", { 4, 3, 2, 1 }):column("k"), { 4, 3, 2, 1 })
  t.fails("invalid_parameter", "'values' must be a table, got nil", function() people:with("k") end)
end)

t.test("select, filter and take keep what they are told to", function()
  t.list_equal(people:select({ "age", "name" }):columns(), { "age", "name" })
  t.fails("invalid_parameter", "did you mean 'age'?", function() people:select { "agee" } end)
  t.list_equal(people:filter(function(row) return row.age < 35 end):column("age"), { 31, 25 })
  t.list_equal(people:take({ 4, 1 }):column("age"), { 37, 31 })
  t.fails("invalid_parameter", "no row 9", function() people:take { 9 } end)
end)

t.test("split puts equal rows into the same part, in proportion to the weights", function()
  local rows = {}
  for i = 1, 3000 do rows[i] = { id = i % 1000 } end
  local a, b = mlrt.table(rows):split { 2, 1 }
  t.equal(#a + #b, 3000)
  t.near(#a / 3000, 2 / 3, 0.05)
  local seen = {}
  for row in a:rows() do seen[row.id] = true end
  for row in b:rows() do t.ok(not seen[row.id]) end
  t.fails("invalid_parameter", "", function() people:split {} end)
  t.fails("invalid_parameter", "", function() people:split { 0 } end)
  t.fails("invalid_parameter", "from 0 to 2^31", function() people:split { -1 } end)
  t.fails("invalid_parameter", "whole number", function() people:split { "1" } end)
end)

t.test("a table goes to CSV and back", function()
  people:to_csv(t.path("people.csv"))
  local again = mlrt.read_csv(t.path("people.csv"))
  t.list_equal(again:columns(), people:columns())
  t.equal(again:column("name")[3], nil)
  t.equal(again:column("score")[2], 0.5)
end)

t.test("read_csv takes a separator and files without a header", function()
  local path = t.write("plain.tsv", "1\t2.5\n2\tx\n")
  local plain = mlrt.read_csv(path, { separator = "\t", header = false })
  t.list_equal(plain:columns(), { "c0", "c1" })
  t.equal(plain:types().c1, "string")
  local named = mlrt.read_csv(path, { separator = "\t", header = false, columns = { "id", "value" } })
  t.list_equal(named:columns(), { "id", "value" })
  t.fails("invalid_parameter", "one character", function() mlrt.read_csv(path, { separator = "::" }) end)
end)

t.test("a file that is missing or malformed is named, with line and column", function()
  t.fails("not_found", "none.csv", function() mlrt.read_csv(t.path("none.csv")) end)
  local path = t.write("bad.csv", "a,b\n1,2\n1,2,3\n")
  t.fails("invalid_parameter", "bad.csv:3:", function() mlrt.read_csv(path) end)
  t.fails("invalid_parameter", "'path' must be a string, got nil", function() mlrt.read_csv() end)
  t.fails("invalid_parameter", { "'seperator'", "did you mean 'separator'?" }, function()
    mlrt.read_csv(path, { seperator = ";" })
  end)
end)

t.test("what is no table is refused with column and row", function()
  t.fails("invalid_parameter", { "column 'x', row 2", "a string", "numbers before" }, function()
    mlrt.table { x = { 1, "a" } }
  end)
  t.fails("invalid_parameter", "must be a number, a boolean or a string", function() mlrt.table { x = { {} } } end)
  t.fails("invalid_parameter", "must be a list of values", function() mlrt.table { x = 1 } end)
  t.fails("invalid_parameter", "row 2 must be a table", function() mlrt.table { { x = 1 }, 5 } end)
  t.fails("invalid_parameter", "must be strings", function() mlrt.table { { [true] = 1 } } end)
  t.fails("invalid_parameter", "gap", function() mlrt.table { x = { [2 ^ 53 | 0] = 1 } } end)
  t.fails("invalid_parameter", "it has the key 1.5", function() mlrt.table { x = { [1.5] = 1 } } end)
  t.fails("invalid_parameter", "no column 'y'", function() mlrt.table({ x = { 1 } }, { columns = { "y" } }) end)
  t.fails("invalid_parameter", "UTF-8", function() mlrt.table { x = { "\xff" } } end)
  t.fails("invalid_parameter", "'data' must be a table, got nil", function() mlrt.table() end)
end)

t.test("a closed table is an error, closing twice is not", function()
  local copy
  do
    local short <close> = people:select { "age" }
    copy = short
    t.equal(#short, 4)
  end
  t.fails("conflict", "closed", function() copy:columns() end)
  t.fails("conflict", "closed", function() return #copy end)
  copy:close()
  t.equal(tostring(copy), "a closed table")
end)

t.test("a field that does not exist is an error with the nearest name", function()
  t.fails("invalid_parameter", "did you mean 'digest'?", function() people:digset() end)
  t.fails("invalid_parameter", "cannot be set", function() people.x = 1 end)
  t.fails("invalid_parameter", "'self' must be a table of mlrt, got a table", function() people.columns({}) end)
end)

t.finish()
