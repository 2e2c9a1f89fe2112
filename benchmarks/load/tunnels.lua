-- Visitors for wrk who go from tunnel to tunnel: each request names the next of so many hosts below a domain, which are the
-- two arguments. Otherwise as visitors.lua, which stands beside this file.

local here = debug.getinfo(1, "S").source:match("@(.*)tunnels%.lua$") or "./"
dofile(here .. "visitors.lua")

local requests, turn = {}, 0

function init(args)
   for number = 0, tonumber(args[2]) - 1 do
      wrk.headers["Host"] = "t" .. number .. "." .. args[1]
      requests[number] = wrk.format()
   end
end

function request()
   turn = turn + 1
   if not requests[turn] then
      turn = 0
   end
   return requests[turn]
end
