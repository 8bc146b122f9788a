-- Give holds back: compare and delete, so that nobody else's value is lost.
--   KEYS[i]  cooldown:<installation>:<claim>
--   ARGV[1]  token of the decision that held them
for _, key in ipairs(KEYS) do
  if redis.call("GET", key) == "hold:" .. ARGV[1] then
    redis.call("DEL", key)
  end
end
return 1
