-- Removes the usage chunk that the gate forced and the client did not ask for, without making the stream wait.
-- The filter is the outermost: on the way back it comes last, after the meter has seen the chunk; capture sees it first.
-- The gate asks for it in dynamic metadata; without that the function returns at once.
--
-- The chunk is the event whose data has, at its top level, an empty `choices` and a `usage` object. All other bytes
-- pass unchanged and in order. Only an event that is not complete and may still turn out to be the chunk is held back.

local find, sub, byte, gsub = string.find, string.sub, string.byte, string.gsub
local LF, COLON = 10, 58
local MAX_EVENT = 8192  -- the chunk has less than 2 KiB; what is longer is something else, and must not be held
local FIELDS = {"data:", "event:", "id:", "retry:", ":"}

-- Whether text starts with a field of an event, or is the start of one or of an empty line.
local function is_field(text)
  if text == "\r" then return true end
  for n = 1, #FIELDS do
    local field = FIELDS[n]
    if sub(text, 1, #field) == sub(field, 1, #text) then return true end
  end
  return false
end

-- Whether an event, or the first part of one, can be the usage chunk. Once false, it stays false for any longer part.
local function may_be_usage(text)
  return #text <= MAX_EVENT and is_field(text) and not find(text, "^data:%s*[^%s{]")
    and not find(text, '"choices"%s*:%s*%[%s*[^%]%s]')
end

-- Whether an event is the usage chunk; nil if its object is not complete. Only keys at the top level count.
local function is_usage_chunk(event)
  local _, i = find("\n" .. event, "\ndata:%s*{")
  if not i then return nil end
  local text = gsub(sub(event, i - 1), "\r?\ndata: ?", "\n")
  i = 1
  local depth, empty_choices, usage = 1, false, false
  while true do
    i = find(text, '["{}%[%]]', i + 1)
    if not i then return nil end
    local c = byte(text, i)
    if c == 34 then
      local from = i + 1
      repeat  -- behind each backslash stands a byte of the same string
        i = find(text, '["\\]', i + 1)
        local escape = i and byte(text, i) == 92
        if escape then i = i + 1 end
      until not escape
      if not i then return nil end
      if depth == 1 then
        local key = sub(text, from, i - 1)
        if key == "choices" and find(text, "^%s*:%s*%[%s*%]", i + 1) then empty_choices = true end
        if key == "usage" and find(text, "^%s*:%s*{", i + 1) then usage = true end
      end
    elseif c == 123 or c == 91 then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return empty_choices and usage end
    end
  end
end

-- Whether s has an empty list of choices anywhere: it is cheap to tell that it has none, and nearly all have none.
local function has_empty_choices(s)
  local _, e = find(s, '"choices"', 1, true)
  while e do
    if byte(s, e + 1) ~= COLON or byte(s, e + 2) ~= 91 or byte(s, e + 3) ~= 123 then return true end  -- not `:[{`
    _, e = find(s, '"choices"', e + 1, true)
  end
  return false
end

-- LF or LF CR at the end of a text: the empty line that ends an event may have begun.
local function line_end(text) return string.match(sub(text, -2), "\n\r?$") or "" end

-- Empty lines and comments before an event are none of its own: they pass at once, as they keep connections alive.
local function skip_comments(s, from)
  while true do
    local _, e = find(s, "^\r?\n", from)
    if not e and byte(s, from) == COLON then e = find(s, "\n", from, true) end
    if not e then return from end
    from = e + 1
  end
end

-- Begins to watch a response; nil where nothing is to be removed.
function new_strip(handle)
  local wanted = handle:streamInfo():dynamicMetadata():get("tollgate")
  if not wanted or not wanted["strip"] then return nil end
  local headers = handle:headers()
  if not find(string.lower(headers:get("content-type") or ""), "text/event-stream", 1, true) then return nil end
  if (headers:get("content-encoding") or "identity") ~= "identity" then return nil end
  headers:remove("content-length")  -- the body may become shorter
  return {
    held = "",        -- the start of an event that may be the usage chunk
    passing = false,  -- the start of the present event was let through, and the rest must follow
    ending = "",      -- the line end that was let through last
  }
end

-- HTTP/1 upstreams end with an empty chunk: nothing will follow what is held. Returns what to let through, or nil.
local function let_out(state)
  local held, out = state.held, nil
  if held ~= "" and not is_usage_chunk(held) then
    out, state.passing, state.ending = held, true, line_end(held)
  end
  state.held = ""
  return out
end

-- Returns the text that replaces chunk s, or nil where s passes as it is.
function strip_chunk(state, chunk)
  if chunk == "" then return let_out(state) end
  local whole = byte(chunk, -1) == LF and byte(chunk, -2) == LF
  if whole and state.held == "" and not state.passing and not has_empty_choices(chunk) then return nil end
  local s = state.held .. chunk
  local out, written, from = "", 1, 1  -- s[written..from-1] passes
  if state.passing then
    local _, border = find(state.ending .. s, "\n\r?\n")
    if border then
      state.passing, from = false, border - #state.ending + 1
    else
      state.ending, from = line_end(state.ending .. s), #s + 1
    end
  end
  while not state.passing do
    from = skip_comments(s, from)
    local _, border = find(s, "\n\r?\n", from)
    if not border then break end
    local event = sub(s, from, border)
    if may_be_usage(event) and is_usage_chunk(event) then
      out, written = out .. sub(s, written, from - 1), border + 1
    end
    from = border + 1
  end
  local held = sub(s, from)
  local other = find(sub(held, -3), "}[\r\n]*$") and is_usage_chunk(held) == false
  if held ~= "" and (other or not may_be_usage(held)) then
    state.passing, from = true, #s + 1
    state.ending, held = line_end(s), ""
  end
  state.held = held
  out = out .. sub(s, written, from - 1)
  if out ~= chunk then return out end
  return nil
end
