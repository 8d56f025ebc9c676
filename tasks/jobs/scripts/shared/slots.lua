-- needs: flow
-- Where workers come and go: how many texts those of a model generate at once, for estimates.
local function note_slots()
  local slots = {}
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), now, '+inf')) do
    local fingerprint, number = unpack(redis.call('HMGET', key('worker', worker), 'fingerprint', 'slots'))
    if fingerprint then slots[fingerprint] = (slots[fingerprint] or 0) + (tonumber(number) or 0) end
  end
  for _, fingerprint in ipairs(redis.call('ZRANGE', key('seen'), 0, -1)) do
    local number = string.format('%d', slots[fingerprint] or 0)
    if (read_flow(fingerprint, 'slots')[1] or '0') ~= number then note_flow(fingerprint, 'HSET', 'slots', number) end
  end
end
