-- reads only
-- needs: batch
-- ARGV: namespace, batch, owner, first index, number of items. Answer: 'found', then for each of these that there is:
-- its state ('' when the item says it), whether it has become a job (1 or 0), and the item as JSON; 'gone' or 'unknown'.
local id, owner, first, number = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local batch = find_batch(id)
if not batch then return {redis.call('GET', key('tombstone', id)) == owner and 'gone' or 'unknown'} end
if batch.owner ~= owner then return {'unknown'} end
local stopped = redis.call('HMGET', key('batch', id), 'stopped_from', 'stopped_as')
local stopped_from = tonumber(stopped[1] or batch.total)

local function state_of(index)
  if index >= stopped_from then return stopped[2] end
  if index >= batch.next then return 'waiting' end
  local job = redis.call('HGET', key('batch_live', id), index)
  return job and (redis.call('HGET', key('job', job), 'status') or 'running') or ''
end

local answer = {'found'}
for index = first, math.min(first + number, batch.total) - 1 do
  table.insert(answer, state_of(index))
  table.insert(answer, index < math.min(stopped_from, batch.next) and 1 or 0)
  table.insert(answer, redis.call('HGET', key('batch_items', id), index) or '')
end
return answer
