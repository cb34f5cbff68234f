-- Named options: options.check{...} tells a misspelt or mistyped one from the right ones.

local native = require "mlrt.native"

local options = {}

local is = {
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  integer = function(value) return math.type(value) == "integer" end,
  boolean = function(value) return type(value) == "boolean" end,
  table = function(value) return type(value) == "table" end,
  ["function"] = function(value) return type(value) == "function" end,
  data = function(value) return type(value) == "table" or type(value) == "userdata" end,
  strings = function(value) return type(value) == "table" or type(value) == "string" end,
  run = function(value) return type(value) ~= "boolean" and type(value) ~= "number" end,
  interval = function(value) return type(value) == "boolean" or math.type(value) == "integer" end,
}

local article = {
  string = "a string", number = "a number", integer = "a whole number", boolean = "true or false",
  table = "a table", ["function"] = "a function", data = "a table of mlrt",
  strings = "a string or a list of strings", run = "a run or its id",
  interval = "true, or a whole number of milliseconds",
}

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

--- Returns `given` (nil is {}) when each of its keys is in `known`, a table {option = type}, and has
--- a value of that type, and none of the list `required` is absent; else raises the error that says
--- what would be right.
function options.check(name, given, known, required)
  if given == nil then given = {} end
  if type(given) ~= "table" then
    native.errors.invalid(("%s: options must be a table {name = value}, got a %s"):format(name,
      type(given)))
  end
  for key, value in pairs(given) do
    local wanted = known[key]
    if not wanted then
      local names = sorted_keys(known)
      local hint = type(key) == "string" and native.errors.did_you_mean(key, names) or ""
      if hint == "" then hint = "; the options are " .. table.concat(names, ", ") end
      native.errors.invalid(("%s: there is no option '%s'%s"):format(name, tostring(key), hint))
    end
    if not is[wanted](value) then
      native.errors.invalid(("%s: '%s' must be %s, got %s"):format(name, key, article[wanted],
        type(value) == "boolean" and tostring(value) or "a " .. type(value)))
    end
  end
  for _, key in ipairs(required or {}) do
    if given[key] == nil then
      native.errors.invalid(("%s: '%s' is missing, it must be %s"):format(name, key,
        article[known[key]]))
    end
  end
  return given
end

return options
