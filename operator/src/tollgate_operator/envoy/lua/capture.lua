-- Captures the usage that a response reports, as it passes, into dynamic metadata for the access log.
-- FORMAT (a string) is defined by a line put before this text; response.lua, put behind it, calls its functions.
--
-- Only usage, the model's name, counters and flags are taken, each at its own path in the JSON: text that looks like
-- usage inside a string, a tool call's arguments or any other object does not count, and no answer text reaches the
-- log. Nothing is buffered but the short value being read, so memory is bounded whatever the upstream sends.
-- Whole events without a marker, nearly all of them, are told by plain searches; only the others are read.

local NAMESPACE = "tollgate.usage"
local MAX_VALUE, MAX_MODEL = 8192, 256
local PROBED_EVENTS = 8  -- the model is looked for in the first events only (Azure's first has an empty one)
local BOM = "\239\187\191"
local QUOTE, COMMA, COLON, BACKSLASH, SPACE, LF = 34, 44, 58, 92, 32, 10
local LBRACKET, RBRACKET, LBRACE, RBRACE = 91, 93, 123, 125
local find, sub, byte, gsub = string.find, string.sub, string.byte, string.gsub

-- What is done with the values found. Each gets the raw JSON text of the value, nil if it is longer than MAX_VALUE.

local function put(state, key, value) state.found[key], state.dirty = value, true end

-- An object without a digit says nothing, and must not take the place of one that does.
local function take_usage(state, text)
  if text and byte(text) == LBRACE and find(text, "%d") then
    put(state, state.reported and "last" or "first", text)
    state.reported = true
  end
end

local function take_model(state, text)
  text = text and gsub(text, "\\/", "/")
  if not text or text == "" or #text > MAX_MODEL or find(text, "[%c\\]") then return end
  if text ~= state.model then put(state, "model", text) end
  state.model = text
end

local NOTHING = {[""] = true, null = true, ["false"] = true}

local function take_error(state, text)
  if not (text and (NOTHING[text] or find(text, "^[{%[]%s*[}%]]$"))) then put(state, "error", true) end
end

local function take_terminal(state, text)
  if text and not NOTHING[text] then put(state, "terminal", true) end
end

local function take_done(state, text)
  if text == "[DONE]" then put(state, "terminal", true) end
end

local function take_status(state, text) state.unfinished = text == "queued" or text == "in_progress" end

local function take_count(name)
  return {scalar = function(state, text)
    if text and #text <= 32 and find(text, "^%-?%d[%d.eE+-]*$") then put(state, name, text) end
  end}
end

-- A string that, by its value, ends the response or says that it failed.
local function take_word(terminals, errors)
  return {string = function(state, text)
    if terminals[text or ""] then put(state, "terminal", true) end
    if errors[text or ""] then put(state, "error", true) end
  end}
end

-- The places to look at: `keys` of an object, each `item` of an array, or what to do with a value by its kind.
-- `marker`, and each of `others`, stands in every event that matters; a marker with a value that starts with `inert`
-- (null, false) does not count. Markers don't begin with the quote, of which JSON is full: it would be slow to find.

local USAGE, MODEL = {text = take_usage}, {string = take_model}
local ERROR = {text = take_error, string = take_error, scalar = take_error}
local FINISHED = {string = take_terminal, scalar = take_terminal}
local CHAT = {
  marker = 'usage"', inert = byte("n"), others = {'error"', "DONE]"}, array = {text = take_done},
  keys = {usage = USAGE, model = MODEL, error = ERROR, object = take_word({}, {error = true})},
}
local RESPONSE_ENDS = {["response.completed"] = true, ["response.incomplete"] = true, ["response.failed"] = true,
  ["response.cancelled"] = true}
local SPECS = {
  openai_completions = CHAT, deepseek = CHAT, mistral = CHAT,
  openai_responses = {
    marker = 'response"', others = {'error"'},
    keys = {
      usage = USAGE, model = MODEL, error = ERROR, type = take_word(RESPONSE_ENDS, {error = true}),
      status = {string = take_status}, response = {keys = {usage = USAGE, model = MODEL, error = ERROR}},
    },
  },
  anthropic_messages = {
    marker = 'usage"', others = {'error"', 'message_stop"'},
    keys = {
      usage = USAGE, model = MODEL, type = take_word({message_stop = true}, {error = true}),
      message = {keys = {usage = USAGE, model = MODEL}},
    },
  },
  gemini = {
    marker = 'usageMetadata"', others = {'finishReason"', 'promptFeedback"', 'error"'},
    keys = {
      usageMetadata = USAGE, modelVersion = MODEL, error = ERROR,
      candidates = {item = {keys = {finishReason = FINISHED}}}, promptFeedback = {keys = {blockReason = FINISHED}},
    },
  },
  ollama = {
    marker = 'done"', inert = byte("f"), others = {'eval_count"', 'error"'},
    keys = {
      prompt_eval_count = take_count("prompt_eval_count"), eval_count = take_count("eval_count"), model = MODEL,
      error = ERROR, done = {scalar = take_terminal},
    },
  },
}
local SPEC, NOWHERE = SPECS[FORMAT], {}

-- Reading JSON. `nodes` holds the open containers that matter; anything else is passed over by counting brackets.
-- `mode` is the function that finds the end of the value being passed over, `sink` what takes its text, if anything,
-- and `kept` its text from earlier chunks (nil: too long).

local function reset(state)
  state.depth, state.key, state.key_next = 0, nil, false
  state.mode, state.sink, state.kept = nil, nil, ""
  state.nested, state.quoted, state.escaped = 0, false, false
  state.started, state.dead = false, false
end

-- The functions below return the index of the last byte of the text and that of the first byte behind the value, or
-- nothing if the value goes on behind s[stop].

local function string_end(state, s, i, stop)
  if state.escaped then i = i + 1 end
  local from = i
  while true do
    local at = find(s, '"', from, true)
    local ends = at and at <= stop
    local last = ends and at - 1 or stop
    local before = last
    while before >= i and byte(s, before) == BACKSLASH do before = before - 1 end
    local escaped = (last - before) % 2 == 1
    state.escaped = escaped and not ends
    if not ends then return nil end
    if not escaped then return last, at + 1 end
    from = at + 1
  end
end

local function scalar_end(_, s, i, stop)
  for at = i, stop do
    local c = byte(s, at)
    if c == COMMA or c == RBRACE or c == RBRACKET or c <= SPACE then return at - 1, at end
  end
end

local function container_end(state, s, i, stop)
  local nested, quoted = state.nested, state.quoted
  while i <= stop do
    local c = byte(s, i)
    if quoted or c == QUOTE then
      local _, behind = string_end(state, s, quoted and i or i + 1, stop)
      quoted = not behind
      i = behind or stop + 1
    else
      i = i + 1
      if c == LBRACE or c == LBRACKET then nested = nested + 1
      elseif c == RBRACE or c == RBRACKET then nested = nested - 1 end
      if nested <= 0 then break end
    end
  end
  state.nested, state.quoted = nested, quoted
  if nested <= 0 then return i - 1, i end
end

local function take_key(state, text) state.key, state.key_next = text, false end

local function begin(state, mode, sink) state.mode, state.sink, state.kept = mode, sink, "" end

local function keep(state, s, i, last)
  if state.sink and state.kept then
    local fits = #state.kept + last - i + 1 <= MAX_VALUE
    state.kept = fits and state.kept .. sub(s, i, last) or nil
  end
end

local function finish(state, s, i, last)
  keep(state, s, i, last)
  local sink, text = state.sink, state.kept
  begin(state, nil, nil)
  if sink then sink(state, text) end
end

-- The node that the next value stands at.
local function place(state)
  local node = state.nodes[state.depth]
  return node.item or (state.key and node.keys[state.key]) or NOWHERE
end

-- Goes into a container that matters; any other is passed over.
local function open(state, c)
  local node = state.depth > 0 and place(state) or (c == LBRACE and SPEC) or state.array or NOWHERE
  if (c == LBRACE and node.keys) or (c == LBRACKET and node.item) then
    state.depth = state.depth + 1
    state.nodes[state.depth], state.key_next, state.key = node, c == LBRACE, nil
  else
    begin(state, container_end, node.text)
  end
end

local function close(state)
  local node = state.nodes[state.depth]
  state.depth, state.key_next = state.depth - 1, false
  if node == SPEC and state.document then
    state.events = state.events + 1
    if state.depth == 0 and not state.unfinished then put(state, "terminal", true) end
  end
end

-- Reads s[i..stop], a part of one JSON value; what follows the value, or can't start it, is left alone.
local function scan(state, s, i, stop)
  while i <= stop and not state.dead do
    if state.mode then
      local last, behind = state.mode(state, s, i, stop)
      if not behind then return keep(state, s, i, stop) end
      finish(state, s, i, last)
      i = behind
    else
      local c, step = byte(s, i), 1
      if c > SPACE and state.depth == 0 then
        state.dead, state.started = state.started or (c ~= LBRACE and c ~= LBRACKET), true
      end
      if c <= SPACE or c == COLON or state.dead then  -- nothing to do
      elseif c == LBRACE or c == LBRACKET then
        open(state, c)
        if state.mode then step = 0 end
      elseif c == RBRACE or c == RBRACKET then close(state)
      elseif c == COMMA then state.key, state.key_next = nil, state.nodes[state.depth].keys ~= nil
      elseif c ~= QUOTE then
        begin(state, scalar_end, place(state).scalar)
        step = 0
      elseif state.key_next then begin(state, string_end, take_key)
      else begin(state, string_end, place(state).string) end
      i = i + step
    end
  end
end

-- Reading lines. `clean`: between two events. `head`: the start of a line, up to "data:".

local function end_event(state, counts)
  if counts then state.events = state.events + 1 end
  reset(state)
  state.clean, state.has_data = true, false
end

local function feed_lines(state, s, i)
  while i <= #s do
    local line_end = find(s, "\n", i, true)
    local stop = line_end and line_end - 1 or #s
    if i <= stop then state.clean = false end
    if not state.json_lines and #state.head < 5 and i <= stop then
      local more = sub(s, i, math.min(stop, i + 4 - #state.head))
      state.head, i = state.head .. more, i + #more
      state.in_data = state.head == "data:"
    end
    if state.in_data then scan(state, s, i, stop) end
    if not line_end then return end
    i = line_end + 1
    if state.json_lines then
      end_event(state, state.started)
    elseif state.in_data then
      -- Neither a string nor a number can go on in the next line of data.
      if state.mode == string_end or state.quoted then state.dead = true end
      if state.mode == scalar_end then finish(state, "", 1, 0) end
      state.has_data, state.head, state.in_data = true, "", false
    else
      if state.head == "" then end_event(state, state.has_data) end
      state.head = ""
    end
  end
end

-- Whether an event in s can matter.
local function matters(s)
  local _, e = find(s, SPEC.marker, 1, true)
  while e do
    local value = byte(s, e + 1) == COLON and byte(s, e + 2)
    if value == SPACE then value = byte(s, e + 3) end
    if not value or value ~= SPEC.inert then return true end
    _, e = find(s, SPEC.marker, e + 1, true)
  end
  for n = 1, #SPEC.others do
    if find(s, SPEC.others[n], 1, true) then return true end
  end
  return false
end

-- Passes over the whole events at the front of s; returns where the rest begins. Unusual events are left to be read.
local function skip_events(state, s)
  local from = 1
  while true do
    local c, _, e = byte(s, from), find(s, state.border, from, true)
    if not e or (c ~= 100 and c ~= 101 and c ~= LBRACE) then return from end  -- data: or event:, or a line of JSON
    from, state.events = e + 1, state.events + 1
  end
end

-- Line ends become LF; a CR at the end is one, and the LF that may follow it is dropped.
local function to_lf(state, s)
  if state.swallow_lf and byte(s) == LF then s = sub(s, 2) end
  state.swallow_lf = byte(s, -1) == 13
  return (gsub(gsub(s, "\r\n", "\n"), "\r", "\n"))
end

local function feed(state, s)
  if state.start then
    s = state.start .. s
    state.start = #s < 3 and sub(BOM, 1, #s) == s and s or nil
    if state.start then return end
    if sub(s, 1, 3) == BOM then s = sub(s, 4) end
  end
  if state.document then return scan(state, s, 1, #s) end
  if state.swallow_lf or find(s, "\r", 1, true) then s = to_lf(state, s) end
  local i = 1
  if state.clean and (state.model or state.events >= PROBED_EVENTS) and not matters(s) then
    i = skip_events(state, s)
  end
  feed_lines(state, s, i)
end

-- The handle of the metadata does not survive a yield: it is fetched anew each time.
local function publish(state, handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  for key, value in pairs(state.found) do metadata:set(NAMESPACE, key, value) end
  state.found, state.dirty = {}, false
end

local JSON_LINES = {["application/x-ndjson"] = true, ["application/ndjson"] = true, ["application/jsonl"] = true}

-- Begins to watch a response; nil where its headers say that there is nothing to read.
function new_capture(handle)
  local content_type = handle:headers():get("content-type") or ""
  local media_type = string.lower(string.match(content_type, "^%s*([^;%s]*)"))
  local state = {nodes = {}, found = {}, events = 0, due = 1, clean = true, head = "", start = ""}
  reset(state)
  if media_type == "text/event-stream" then
    state.border, state.array = "\n\n", SPEC.array
  elseif JSON_LINES[media_type] then
    state.border, state.json_lines, state.in_data = "\n", true, true
  else
    -- Each element of an array at the top is an event: Gemini streams so without alt=sse.
    state.document, state.array = true, {item = SPEC}
  end
  return state
end

-- One chunk that is not empty.
function capture_chunk(state, handle, s)
  feed(state, s)
  if state.events >= state.due then  -- seldom enough to cost nothing; it only matters if the stream breaks off
    state.due = state.events < 16 and state.events * 2 or state.events + 16
    put(state, "events", state.events)
  end
  if state.dirty then publish(state, handle) end
end

-- The response has ended.
function finish_capture(state, handle)
  if state.json_lines and state.started then state.events = state.events + 1 end  -- a last line without its end
  put(state, "events", state.events)
  publish(state, handle)
end
