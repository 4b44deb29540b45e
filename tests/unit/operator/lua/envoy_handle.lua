-- A stand-in for the handle that Envoy gives a script: it runs the script in a coroutine, a chunk at each resume.
-- Whatever was fetched before a yield is dead behind it, as in Envoy.

local function live(world, methods)
  local born = world.turn
  local object = {}
  for name, method in pairs(methods) do
    object[name] = function(self, ...)
      if self ~= object then error(name .. " is called with a dot", 2) end
      if world.turn ~= born then error("object used outside of proper scope: " .. name, 2) end
      return method(...)
    end
  end
  return object
end

local function metadata_handle(world)
  return live(world, {
    get = function(namespace) return world.metadata[namespace] end,
    set = function(namespace, key, value)
      assert(type(namespace) == "string" and type(key) == "string")
      assert(type(value) == "string" or type(value) == "number" or type(value) == "boolean")
      world.metadata[namespace] = world.metadata[namespace] or {}
      world.metadata[namespace][key] = value
      world.writes = world.writes + 1
    end,
  })
end

local function chunk_handle(world, data)
  world.data = data
  return live(world, {
    length = function() return #world.data end,
    getBytes = function(index, length)
      assert(index >= 0 and length >= 0 and index + length <= #world.data, "index/length must be >= 0 and in range")
      return string.sub(world.data, index + 1, index + length)
    end,
    setBytes = function(bytes)
      assert(type(bytes) == "string")
      world.data = bytes
      return #bytes
    end,
  })
end

local function handle_of(world)
  local handle = {}
  function handle:headers()
    return live(world, {
      get = function(name) return world.headers[name] end,
      remove = function(name) world.headers[name] = nil end,
    })
  end
  function handle:streamInfo()
    return live(world, {dynamicMetadata = function() return metadata_handle(world) end})
  end
  function handle:bodyChunks()
    return function() return coroutine.yield() end
  end
  return handle
end

function start(headers, metadata)
  local world = {turn = 0, headers = headers, metadata = metadata, writes = 0}
  world.thread = coroutine.create(envoy_on_response)
  world.resume = function(...)
    local ok, problem = coroutine.resume(world.thread, ...)
    world.turn = world.turn + 1
    if not ok then error(problem, 0) end
  end
  world.resume(handle_of(world))
  return world
end

-- What comes out for one chunk; a script that has returned lets everything through.
function feed(world, data)
  if coroutine.status(world.thread) == "dead" then return data end
  world.resume(chunk_handle(world, data))
  return world.data
end

function finish(world)
  if coroutine.status(world.thread) ~= "dead" then world.resume(nil) end
end
