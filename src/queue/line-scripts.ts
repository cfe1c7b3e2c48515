/**
 * @file The Lua scripts of the waiting line: each change of a job's place is one atomic step, whoever makes it.
 *
 * KEYS of each script, in this order: places, tenants, passes, clock, waiting, needed, needs, settings. ARGV[1]: first
 * part of the names of the lists and sets, which depend on what is found. All lie in one slot (README, LATHE_REDIS_PREFIX).
 */

/** What the scripts share. A place is where a job stands: in its tenant's list, or admitted to the queue of a pool. */
const COMMON = `
local places, tenants, passes, clock = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local waiting, needed, needs, settings = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local base = ARGV[1]

local function placeOf(id)
  local text = redis.call('HGET', places, id)
  return text and cjson.decode(text) or nil
end

local function list(tenant, need) return base .. ':of:' .. tenant .. ':' .. need end

local function setting(tenant, name, otherwise)
  local text = redis.call('HGET', settings, tenant)
  local value = text and cjson.decode(text)[name]
  if type(value) == 'number' then return value end
  if tenant == '*' then return otherwise end
  return setting('*', name, otherwise)
end

local function count(key, field, by)
  if redis.call('HINCRBY', key, field, by) > 0 then return true end
  redis.call('HDEL', key, field)
  return false
end

local function turn(tenant, pass)
  redis.call('HSET', passes, tenant, pass)
  redis.call('ZADD', tenants, 'XX', pass, tenant)
end

local function enter(id, place)
  local tenant = place.tenant
  place.pool = nil
  redis.call('ZADD', list(tenant, place.need), place.score, place.queueId)
  count(waiting, tenant, 1)
  if place.need ~= '' then
    count(needed, place.need, 1)
    redis.call('HSET', needs, place.need, place.asked)
  end
  if not redis.call('ZSCORE', tenants, tenant) then
    local pass = tonumber(redis.call('HGET', passes, tenant) or '0')
    local now = tonumber(redis.call('GET', clock) or '0')
    redis.call('ZADD', tenants, math.max(pass, now), tenant)
  end
  redis.call('HSET', places, id, cjson.encode(place))
end

local function leave(id, place)
  local tenant = place.tenant
  redis.call('HDEL', places, id)
  if place.pool then
    redis.call('SREM', base .. ':pool:' .. place.pool, id)
    redis.call('ZREM', base .. ':admitted:' .. tenant, id)
    return
  end
  redis.call('ZREM', list(tenant, place.need), place.queueId)
  if not count(waiting, tenant, -1) then redis.call('ZREM', tenants, tenant) end
  if place.need ~= '' and not count(needed, place.need, -1) then redis.call('HDEL', needs, place.need) end
end
`;

/** A job takes its place; one of an earlier attempt ends. ARGV: base, id, place. Answers 1, or 0: it stood there. */
export const ENTER = `${COMMON}
local id, place = ARGV[2], cjson.decode(ARGV[3])
local old = placeOf(id)
if old and old.queueId == place.queueId then return 0 end
if old then leave(id, old) end
enter(id, place)
return 1`;

/** A job leaves, wherever it stands. ARGV: base, id, queue id. Answers 1, or 0: it has another place, or none. */
export const LEAVE = `${COMMON}
local place = placeOf(ARGV[2])
if not place or place.queueId ~= ARGV[3] then return 0 end
leave(ARGV[2], place)
return 1`;

/**
 * Admit one job to a pool that has room: of the tenants whose turn comes first (least pass; each admission raises the
 * tenant's by 1 / weight), who may run another and have a job that the pool can run; of that tenant's, the first.
 * ARGV: base, pool, room, needs that the pool meets…  Answers id and place, or nothing.
 */
export const ADMIT = `${COMMON}
local pool, room = ARGV[2], tonumber(ARGV[3])
if redis.call('SCARD', base .. ':pool:' .. pool) >= room then return false end
for _, tenant in ipairs(redis.call('ZRANGE', tenants, 0, -1)) do
  local most = setting(tenant, 'jobsRunning', 0)
  if most == 0 or redis.call('ZCARD', base .. ':admitted:' .. tenant) < most then
    local first, least
    for i = 4, #ARGV do
      local head = redis.call('ZRANGE', list(tenant, ARGV[i]), 0, 0, 'WITHSCORES')
      if head[1] and (not least or tonumber(head[2]) < least) then
        first, least = head[1], tonumber(head[2])
      end
    end
    if first then
      local id = string.gsub(first, '-%d+$', '')
      local place = placeOf(id)
      local now = tonumber(redis.call('GET', clock) or '0')
      local pass = math.max(now, tonumber(redis.call('ZSCORE', tenants, tenant)))
      leave(id, place)
      place.pool = pool
      redis.call('HSETNX', base .. ':absent', pool, 0)
      redis.call('HSET', places, id, cjson.encode(place))
      redis.call('SADD', base .. ':pool:' .. pool, id)
      redis.call('ZADD', base .. ':admitted:' .. tenant, place.score, id)
      redis.call('SET', clock, pass)
      turn(tenant, pass + 1 / setting(tenant, 'weight', 1))
      return { id, cjson.encode(place) }
    end
  end
end
return false`;

/** An admitted job goes back to its tenant's list, and the turn to its tenant. ARGV: base, id, queue id. Answers 1 or 0. */
export const GIVE_BACK = `${COMMON}
local id, place = ARGV[2], placeOf(ARGV[2])
if not place or place.queueId ~= ARGV[3] or not place.pool then return 0 end
leave(id, place)
enter(id, place)
local pass = tonumber(redis.call('HGET', passes, place.tenant) or '0')
turn(place.tenant, math.max(0, pass - 1 / setting(place.tenant, 'weight', 1)))
return 1`;

/**
 * How many of its tenant are before a job. ARGV: base, id, queue id, key of the tenant's queued jobs. Answers the number, or
 * nothing: the job has another place, or none.
 */
export const POSITION = `${COMMON}
local id, place = ARGV[2], placeOf(ARGV[2])
if not place or place.queueId ~= ARGV[3] then return false end
local tenant = place.tenant
local admitted = base .. ':admitted:' .. tenant
local inLine = tonumber(redis.call('HGET', waiting, tenant) or '0')
-- Admitted, and not yet at work.
local ahead = math.max(0, redis.call('ZCARD', ARGV[4]) - inLine)
if place.pool then
  local rank = redis.call('ZRANK', admitted, id) or 0
  return math.max(0, rank - (redis.call('ZCARD', admitted) - ahead))
end
local before = redis.call('ZRANK', list(tenant, place.need), place.queueId) or 0
local others = redis.call('HKEYS', needs)
table.insert(others, '')
for _, need in ipairs(others) do
  if need ~= place.need then
    before = before + redis.call('ZCOUNT', list(tenant, need), '-inf', '(' .. place.score)
  end
end
return ahead + before`;
