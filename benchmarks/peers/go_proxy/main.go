// go_proxy is the reverse proxy of Go's standard library, which sish and frp build on, in front of one service.
//
// Usage: go_proxy LISTEN ORIGIN [CERTIFICATE KEY], both addresses as host:port.
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	listen, origin := os.Args[1], os.Args[2]
	target := &url.URL{Scheme: "http", Host: origin}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			request.SetXForwarded()
		},
		// As many kept connections as there are visitors; the default of two would close nearly all of them.
		Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 1024, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	server := &http.Server{Addr: listen, Handler: proxy, ErrorLog: log.New(io.Discard, "", 0)}
	if len(os.Args) == 5 {
		log.Fatal(server.ListenAndServeTLS(os.Args[3], os.Args[4]))
	}
	log.Fatal(server.ListenAndServe())
}
