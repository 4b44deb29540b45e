-- One pass over a response's chunks for capture and strip, whichever are loaded: bytes are fetched from Envoy once.

function envoy_on_response(handle)
  local capture = new_capture and new_capture(handle)
  local strip = new_strip and new_strip(handle)
  if not capture and not strip then return end
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    local s = length > 0 and chunk:getBytes(0, length) or ""
    if capture and length > 0 then capture_chunk(capture, handle, s) end
    if strip then
      local text = strip_chunk(strip, s)
      if text then chunk:setBytes(text) end
    end
  end
  if capture then finish_capture(capture, handle) end
end
