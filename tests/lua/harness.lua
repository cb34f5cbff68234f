-- What the tests in this folder are written with. A test file is run with the path of an empty folder and that
-- of the source tree as its arguments.
--
--   local t = require "harness"
--   t.test("a sentence that is true", function() t.equal(1 + 1, 2) end)
--   t.finish()

local t = { ran = 0, failures = {} }

t.folder, t.source_folder = table.unpack(arg, 1, 2)

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

function t.test(sentence, body)
  t.ran = t.ran + 1
  local good, message = xpcall(body, function(e) return debug.traceback(tostring(e), 2) end)
  if not good then t.failures[#t.failures + 1] = ("%s\n  %s"):format(sentence, message:gsub("\n", "\n  ")) end
end

function t.ok(value, message)
  if not value then error(message or "expected a true value, got " .. show(value), 2) end
end

function t.equal(got, expected, level)
  if got ~= expected or math.type(got) ~= math.type(expected) then
    error(("expected %s, got %s"):format(show(expected), show(got)), level or 2)
  end
end

function t.near(got, expected, tolerance)
  if math.abs(got - expected) > tolerance then error(("expected about %s, got %s"):format(expected, got), 2) end
end

function t.list_equal(got, expected)
  t.equal(#got, #expected, 3)
  for i = 1, #expected do t.equal(got[i], expected[i], 3) end
end

-- Calls body, which must fail with an error object of that code and a message that holds all of the texts.
function t.fails(code, texts, body)
  local good, e = pcall(body)
  if good then error("expected an error of code " .. code .. ", got none", 2) end
  if type(e) ~= "table" then error(("expected an error object, got %s"):format(show(e)), 2) end
  if e.code ~= code then error(("expected the code %s, got %s: %s"):format(code, tostring(e.code), tostring(e)), 2) end
  for _, text in ipairs(type(texts) == "table" and texts or { texts }) do
    if not e.message:find(text, 1, true) then error(("no %s in: %s"):format(show(text), e.message), 2) end
  end
  return e
end

function t.path(name) return t.folder .. "/" .. name end

function t.write(name, text)
  local file <close> = assert(io.open(t.path(name), "w"))
  file:write(text)
  return t.path(name)
end

function t.finish()
  if #t.failures > 0 then
    error(("%d of %d tests failed:\n%s"):format(#t.failures, t.ran, table.concat(t.failures, "\n")), 0)
  end
  if t.ran == 0 then error("the file has no test", 0) end
end

return t
