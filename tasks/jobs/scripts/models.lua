-- reads only
-- ARGV: namespace. Answer: for every card, the one registered last first: card as JSON, time of registration in ms,
-- live workers, their slots, the precision of each that has told it.
local live, slots, precisions = {}, {}, {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), now, '+inf')) do
  local entry = redis.call('HMGET', key('worker', worker), 'fingerprint', 'slots', 'precision')
  if entry[1] then
    live[entry[1]] = (live[entry[1]] or 0) + 1
    slots[entry[1]] = (slots[entry[1]] or 0) + tonumber(entry[2] or 0)
    precisions[entry[1]] = precisions[entry[1]] or {}
    if (entry[3] or '') ~= '' then table.insert(precisions[entry[1]], entry[3]) end
  end
end

local answer = {}
local registered = redis.call('ZREVRANGE', key('registered'), 0, -1, 'WITHSCORES')
for i = 1, #registered, 2 do
  local fingerprint = registered[i]
  local card = redis.call('HGET', key('cards'), fingerprint)
  if card then -- Else somebody has deleted it, and a worker will bring it again.
    table.insert(answer, {
      card, registered[i + 1], live[fingerprint] or 0, slots[fingerprint] or 0, precisions[fingerprint] or {},
    })
  end
end
return answer
