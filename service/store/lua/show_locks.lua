-- Show what people of this installation have locked, and that the rest is free. After people.lua.
--   KEYS[i]        person-lock:<resource>
--   ARGV[1]        this installation
--   ARGV[2i]       for how much longer it is locked, in milliseconds; 0: it is not
--   ARGV[2i + 1]   the lock as JSON
for i, key in ipairs(KEYS) do
  local lasts_ms = tonumber(ARGV[2 * i])
  if lasts_ms > 0 then
    redis.call("HSET", key, ARGV[1], string.format("%.0f ", now + lasts_ms) .. ARGV[2 * i + 1])
  else
    redis.call("HDEL", key, ARGV[1])
  end
  local last = 0
  local shown = redis.call("HGETALL", key)
  for j = 1, #shown, 2 do
    if ends_at(shown[j + 1]) > now then
      last = math.max(last, ends_at(shown[j + 1]))
    else
      redis.call("HDEL", key, shown[j])
    end
  end
  if last > 0 then
    redis.call("PEXPIREAT", key, string.format("%.0f", last))
  end
end
return 1
