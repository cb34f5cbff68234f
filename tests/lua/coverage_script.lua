-- Every function that a script can reach has a stub in stdlib/types/mlrt.lua and is used in a test here.
local t = require "harness"
local mlrt = require "mlrt"
local native = require "mlrt.native"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local stubs = read(t.source_folder .. "/stdlib/types/mlrt.lua")
local tests = ""
for i = 3, #arg do tests = tests .. read(arg[i]) end

local classes = {
  Table = native.table.methods, Model = native.model.methods, Run = native.run.methods,
  LoggedModel = native.logged_models.methods,
  Server = native.server.methods, Training = native.train.training_methods, Observer = native.train.observer_methods,
}

-- The fields that are computed: the second upvalue of __index (see handle.cpp).
local function getters(object)
  local _, found = debug.getupvalue(getmetatable(object).__index, 2)
  return found
end

local function check(problems, name, documented, used)
  if not documented then problems[#problems + 1] = name .. " has no stub in stdlib/types/mlrt.lua" end
  if not used then problems[#problems + 1] = name .. " is used in no test of tests/lua" end
end

local function walk(problems, count, module, prefix)
  for name, value in pairs(module) do
    local path = prefix .. "." .. name
    if type(value) == "table" then
      count = walk(problems, count, value, path)
    elseif type(value) == "function" then
      count = count + 1
      check(problems, path, stubs:find("function " .. path .. "(", 1, true),
        tests:find(path:gsub("^mlrt%.json", "json"), 1, true) or tests:find(path, 1, true))
    end
  end
  return count
end

t.test("every function of the module has a stub and a test", function()
  local problems = {}
  local count = walk(problems, 0, mlrt, "mlrt")
  t.ok(count >= 65, "only " .. count .. " functions found")
  t.ok(#problems == 0, table.concat(problems, "\n"))
end)

t.test("every method and field of a handle has a stub and a test", function()
  local problems, count = {}, 0
  for class, methods in pairs(classes) do
    for name in pairs(methods) do
      count = count + 1
      check(problems, class .. ":" .. name, stubs:find(("function %s:%s("):format(class, name), 1, true),
        tests:find(":" .. name .. "%f[%W]"))
    end
  end
  t.ok(count >= 50, "only " .. count .. " methods found")
  local data = mlrt.table { x = { 1.0, 2.0, 3.0, 4.0 }, y = { 0, 1, 0, 1 } }
  local run <close> = mlrt.start_run()
  local model = mlrt.logistic_regression(data, { label = "y", numeric = { "x" } })
  local server <close> = mlrt.serve(model)
  local logged = mlrt.create_logged_model("covered")
  for _, object in ipairs { run, model, server, logged } do
    for name in pairs(getters(object)) do
      check(problems, name, stubs:find("@field " .. name .. " ", 1, true), tests:find("%." .. name .. "%f[%W]"))
    end
  end
  t.ok(#problems == 0, table.concat(problems, "\n"))
end)

t.test("every stub stands for something that exists", function()
  for path in stubs:gmatch("function (mlrt[%w_.]+)%(") do
    local value = { mlrt = mlrt }
    for part in path:gmatch("[^.]+") do value = value and value[part] end
    t.ok(type(value) == "function", path .. " does not exist")
  end
  for class, name in stubs:gmatch("function (%u%w+):([%w_]+)%(") do
    t.ok(classes[class] and classes[class][name], class .. ":" .. name .. " does not exist")
  end
  t.ok(load(stubs, "@types/mlrt.lua"))
end)

t.finish()
