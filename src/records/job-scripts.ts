/** @file The Lua scripts of job records: each change is one atomic step. */

/**
 * Change a record, only if nobody else has in the meantime and the attempt is still the writer's own.
 *
 * KEYS: record, events, tenant's set of the old status, of the new one, all tenants' set of the old, of the new, outbox,
 * tenant's webhook endpoints, figures.
 * ARGV: id, version read, attempt required ('' = any), new attempt, new record, channel, number of events, what is added to
 * figures (JSON: [[series, amount]…]), events…, and for each webhook message '1' (the job's own webhook wants it) or '' (endpoints may, if there are any) and the
 * message.
 * Answers 'ok', 'missing', 'fenced' (another attempt has taken over) or 'changed' (read again).
 */
export const CHANGE = `
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'missing' end
if ARGV[3] ~= '' and redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[3] then return 'fenced' end
if version ~= ARGV[2] then return 'changed' end
redis.call('HSET', KEYS[1], 'version', version + 1, 'attempt', ARGV[4], 'record', ARGV[5])
if KEYS[3] ~= KEYS[4] then
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], 0, ARGV[1])
  redis.call('ZREM', KEYS[5], ARGV[1])
  redis.call('ZADD', KEYS[6], 0, ARGV[1])
end
local events = tonumber(ARGV[7])
for i = 9, 8 + events do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 2000, '*', 'event', ARGV[i])
end
for _, step in ipairs(cjson.decode(ARGV[8])) do
  redis.call('HINCRBYFLOAT', KEYS[9], step[1], tostring(step[2]))
end
local heard = redis.call('EXISTS', KEYS[8]) == 1
for i = 9 + events, #ARGV, 2 do
  if heard or ARGV[i] == '1' then redis.call('XADD', KEYS[7], '*', 'message', ARGV[i + 1]) end
end
redis.call('PUBLISH', ARGV[6], ARGV[1])
return 'ok'`;

/**
 * Store a new record. KEYS: record, events, tenant's jobs, tenant's queued, all queued, deadlines.
 * ARGV: id, attempt, record, channel, sealed secret or '', deadline in ms or '', most queued or 0, events…  Answers 'ok',
 * 'exists' or 'full'.
 */
export const CREATE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
local most = tonumber(ARGV[7])
if most > 0 and redis.call('ZCARD', KEYS[4]) >= most then return 'full' end
redis.call('HSET', KEYS[1], 'version', 1, 'attempt', ARGV[2], 'record', ARGV[3])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'secret', ARGV[5]) end
for i = 3, 5 do redis.call('ZADD', KEYS[i], 0, ARGV[1]) end
if ARGV[6] ~= '' then redis.call('ZADD', KEYS[6], ARGV[6], ARGV[1]) end
for i = 8, #ARGV do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 2000, '*', 'event', ARGV[i])
end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return 'ok'`;
