-- Visitors for wrk: they name a host in the URL (and so in the ClientHello and in Host) but connect to loopback, since
-- names under .localhost resolve in few C libraries. At the end, one line of JSON.

function wrk.resolve(host, service)
   wrk.addrs = wrk.lookup("127.0.0.1", service)
end

wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-GB,en;q=0.7,de;q=0.3"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Cookie"] = "session=0123456789abcdef0123456789abcdef; theme=dark"
wrk.headers["Referer"] = "https://bench.localhost/start"
wrk.headers["Cache-Control"] = "no-cache"
wrk.headers["Sec-Fetch-Mode"] = "navigate"

-- The first argument, if there is one, is what they accept in the place of what a browser does.
function init(args)
   if args[1] then
      wrk.headers["Accept-Encoding"] = args[1]
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      '{"requests": %d, "bytes": %d, "seconds": %.6f, "failed": %d, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, summary.bytes, summary.duration / 1e6, failed,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
