-- Methods of runs and logged models whose arguments are tables: checked here, then handed to C++ by
-- position.

local native = require "mlrt.native"
local options = require "mlrt.options"

local methods = native.run.methods

function methods.log_batch(self, given)
  local o = options.check("log_batch", given,
    { metrics = "table", params = "table", tags = "table" })
  return native.run.log_batch(self, o.metrics, o.params, o.tags)
end

-- image: the bytes of a picture, or a file; where: a path, or a key and a step.
function methods.log_image(self, image, where)
  if type(where) ~= "table" then return native.run.log_image(self, image, where) end
  local o = options.check("log_image", where, { key = "string", step = "integer" }, { "key" })
  return native.run.log_image(self, image, nil, o.key, o.step)
end

function methods.log_input(self, data, given)
  local o = options.check("log_input", given,
    { name = "string", context = "string", source = "string", tags = "table" })
  return native.run.log_input(self, data, o.name, o.context, o.source, o.tags)
end
