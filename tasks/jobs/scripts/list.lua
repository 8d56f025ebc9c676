-- reads only
-- needs: queue
-- ARGV: namespace, owner, sequence number below which to begin ('+inf': the newest), jobs at most, entries to look at
-- at most, then the states that are wanted (none: all).
-- Answer: where to go on ('': nowhere), then for every job, the newest first: its record without the texts, and its
-- place. Jobs of a version far from this one are left out.
local owner, below, limit, patience = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local CHUNK = 100
local TEXTS = {text = true, rows = true}
local owned = key('owned', owner)
expect('zset', owned)
local answer = {''}

local wanted = nil
for i = 6, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[i]] = true
end

local function is_wanted(id)
  -- A key of another type is no job, and one that is missing has expired a moment ago.
  local status = redis.pcall('HGET', key('job', id), 'status')
  return type(status) == 'string' and (not wanted or wanted[status])
end

local function record_without_texts(id)
  local names = {}
  for _, name in ipairs(redis.call('HKEYS', key('job', id))) do
    if not TEXTS[name] then table.insert(names, name) end
  end
  local record = {}
  for i, value in ipairs(redis.call('HMGET', key('job', id), unpack(names))) do
    table.insert(record, names[i])
    table.insert(record, value)
  end
  return record
end

local function add(id)
  local job = find_job(id)
  if not is_foreign(job) then table.insert(answer, {record_without_texts(id), place(job)}) end
end

-- The entries that come next; empty at the end, or when enough has been seen.
local function next_entries()
  local count = #answer - 1 < limit and math.min(CHUNK, patience) or 0
  if count == 0 then return {} end
  patience = patience - count
  return redis.call('ZREVRANGEBYSCORE', owned, '(' .. below, '-inf', 'WITHSCORES', 'LIMIT', 0, count)
end

local entries = next_entries()
while #entries > 0 do
  for i = 1, #entries, 2 do
    if #answer - 1 == limit then break end
    below = entries[i + 1]
    if is_wanted(entries[i]) then add(entries[i]) end
  end
  entries = next_entries()
end
local older = redis.call('ZREVRANGEBYSCORE', owned, '(' .. below, '-inf', 'LIMIT', 0, 1)
if #older > 0 then answer[1] = below end
return answer
