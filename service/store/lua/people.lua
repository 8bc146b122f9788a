-- What people have locked, as each installation shows it to the others on this Redis.
--   person-lock:<resource>   a hash: installation -> "<end, ms of Redis' clock> <the lock as JSON>"
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function ends_at(shown)
  return tonumber(string.match(shown, "^(%d+) ")) or 0
end

-- {installation, lock} of the one that lasts longest of the others; nil where there is none.
local function locked_elsewhere(key, ours)
  local found, last = nil, now
  local shown = redis.call("HGETALL", key)
  for i = 1, #shown, 2 do
    if shown[i] ~= ours and ends_at(shown[i + 1]) > last then
      last = ends_at(shown[i + 1])
      found = {shown[i], string.match(shown[i + 1], "^%d+ (.*)$")}
    end
  end
  return found
end
