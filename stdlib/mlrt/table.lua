-- Methods of tables that call back into the script. They are Lua, so that an error in the callback
-- has its traceback and the callback may yield.

local native = require "mlrt.native"

local methods = native.table.methods

local function check_callback(name, callback)
  if type(callback) ~= "function" then
    native.errors.invalid(("table:%s: 'callback' must be a function, got a %s"):format(name,
      type(callback)))
  end
end

-- An iterator over the rows: for row, number in t:rows() do ... end
function methods.rows(self)
  local number, count = 0, #self
  return function()
    if number == count then return nil end
    number = number + 1
    return self:row(number), number
  end
end

-- The table with one more column, or another one of that name: callback(row) gives its values.
function methods.derive(self, name, callback)
  check_callback("derive", callback)
  local values = {}
  for row, number in self:rows() do values[number] = callback(row) end
  return self:with(name, values)
end

-- The rows for which callback(row) is true.
function methods.filter(self, callback)
  check_callback("filter", callback)
  local kept = {}
  for row, number in self:rows() do
    if callback(row) then kept[#kept + 1] = number end
  end
  return self:take(kept)
end
