local t = require "harness"
local mlrt = require "mlrt"
local json = mlrt.json

t.test("values go to JSON text with sorted keys", function()
  t.equal(json.encode { b = 1, a = { true, "x", 1.5 } }, '{"a":[true,"x",1.5],"b":1}')
  t.equal(json.encode {}, "{}")
  t.equal(json.encode(json.array {}), "[]")
  t.equal(json.encode(nil), "null")
  t.equal(json.encode { json.null }, "[null]")
  t.equal(json.encode(0 / 0), "null")
  t.equal(json.encode(math.mininteger), "-9223372036854775808")
  t.equal(json.encode({ a = 1 }, { indent = 2 }), '{\n  "a": 1\n}')
end)

t.test("text becomes values, whole numbers integers", function()
  local value = json.decode '{"a":[1,2.0,null,[]],"b":{"c":"\\u00e9"},"n":18446744073709551615}'
  t.equal(value.a[1], 1)
  t.equal(value.a[2], 2.0)
  t.equal(value.a[3], json.null)
  t.equal(value.b.c, "é")
  t.equal(value.n, 18446744073709551615.0)
  t.equal(json.encode(value.a), "[1,2.0,null,[]]")
end)

t.test("what JSON cannot hold is refused", function()
  t.fails("invalid_parameter", "a function has no JSON form", function() json.encode { print } end)
  t.fails("invalid_parameter", "keys 1..n", function() json.encode { 1, [3] = 2 } end)
  t.fails("invalid_parameter", "keys", function() json.encode { 1, a = 2 } end)
  local loop = {}
  loop.loop = loop
  t.fails("invalid_parameter", "contains itself", function() json.encode(loop) end)
  t.fails("invalid_parameter", "'indent' must be", function() json.encode(1, { indent = 99 }) end)
end)

t.test("text that is not JSON is refused with its place", function()
  t.fails("invalid_parameter", "2", function() json.decode '{"a":\n]' end)
  t.fails("invalid_parameter", "", function() json.decode(("["):rep(100)) end)
  t.fails("invalid_parameter", "", function() json.decode '{"a":1,"a":2}' end)
  t.fails("invalid_parameter", "'text' must be a string", function() json.decode(5) end)
  t.fails("invalid_parameter", "'table' must be a table", function() json.array(5) end)
end)

t.finish()
