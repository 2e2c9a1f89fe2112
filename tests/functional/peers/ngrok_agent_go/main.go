// ngrok-go, unmodified. Plan, input and output are those of ngrok_agent.py, and a line "diagnose" probes the server; but an
// endpoint's options are the SDK's own:
// {"to": "http://127.0.0.1:3000", "url": "https://app.example.com", "pooling": true, "metadata": "…", "name": "…",
// "description": "…", "traffic_policy": "…", "bindings": ["internal"], "protocol": "http2", "proxy_proto": "v1",
// "crt": "cert.pem", "key": "key.pem"}. The session's are {"metadata": "…", "multi_leg": true, "heartbeat_interval": 1,
// "heartbeat_tolerance": 1}, in seconds.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.ngrok.com/ngrok/v2"
	"golang.ngrok.com/ngrok/v2/rpc"
)

type endpoint struct {
	To            string
	URL           string
	Name          string
	Description   string
	Metadata      string
	TrafficPolicy string `json:"traffic_policy"`
	Bindings      []string
	Pooling       *bool
	Protocol      string
	ProxyProto    string `json:"proxy_proto"`
	Crt           string
	Key           string
}

type plan struct {
	ServerAddr string `json:"server_addr"`
	RootCAs    string `json:"root_cas"`
	Authtoken  string
	Metadata   string
	MultiLeg   bool `json:"multi_leg"`
	Interval   int  `json:"heartbeat_interval"`
	Tolerance  int  `json:"heartbeat_tolerance"`
	Commands   []string
	Endpoints  []endpoint
}

var output sync.Mutex

func tell(event string, fields map[string]any) {
	line := map[string]any{"event": event}
	for name, value := range fields {
		line[name] = value
	}
	text, _ := json.Marshal(line)
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}

func refused(err error) {
	code := ""
	var told ngrok.Error
	if errors.As(err, &told) {
		code = told.Code()
	}
	tell("refused", map[string]any{"what": "", "message": err.Error(), "code": code})
}

func publish(agent ngrok.Agent, number int, wish endpoint) ngrok.EndpointForwarder {
	options := []ngrok.EndpointOption{ngrok.WithMetadata(wish.Metadata), ngrok.WithDescription(wish.Description)}
	if wish.URL != "" {
		options = append(options, ngrok.WithURL(wish.URL))
	}
	if wish.Name != "" {
		options = append(options, ngrok.WithName(wish.Name))
	}
	if wish.TrafficPolicy != "" {
		options = append(options, ngrok.WithTrafficPolicy(wish.TrafficPolicy))
	}
	if len(wish.Bindings) > 0 {
		options = append(options, ngrok.WithBindings(wish.Bindings...))
	}
	if wish.Pooling != nil {
		options = append(options, ngrok.WithPoolingEnabled(*wish.Pooling))
	}
	if wish.Crt != "" {
		certificate, err := tls.LoadX509KeyPair(wish.Crt, wish.Key)
		if err != nil {
			panic(err)
		}
		options = append(options, ngrok.WithAgentTLSTermination(&tls.Config{Certificates: []tls.Certificate{certificate}}))
	}
	upstream := []ngrok.UpstreamOption{}
	if wish.Protocol != "" {
		upstream = append(upstream, ngrok.WithUpstreamProtocol(wish.Protocol))
	}
	if wish.ProxyProto != "" {
		upstream = append(upstream, ngrok.WithUpstreamProxyProto(ngrok.ProxyProtoVersion(wish.ProxyProto)))
	}
	forwarder, err := agent.Forward(context.Background(), ngrok.WithUpstream(wish.To, upstream...), options...)
	if err != nil {
		refused(err)
		return nil
	}
	tell("online", map[string]any{
		"number": number, "url": forwarder.URL().String(), "id": forwarder.ID(), "metadata": forwarder.Metadata(),
	})
	return forwarder
}

func main() {
	var follow plan
	if err := json.Unmarshal([]byte(os.Args[1]), &follow); err != nil {
		panic(err)
	}
	pem, err := os.ReadFile(follow.RootCAs)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	options := []ngrok.AgentOption{
		ngrok.WithAuthtoken(follow.Authtoken),
		ngrok.WithAgentConnectURL(follow.ServerAddr),
		ngrok.WithAgentConnectCAs(pool),
		ngrok.WithAgentMetadata(follow.Metadata),
		ngrok.WithMultiLeg(follow.MultiLeg),
		ngrok.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
		ngrok.WithEventHandler(func(event ngrok.Event) {
			switch event.EventType() {
			case ngrok.EventTypeAgentConnectSucceeded:
				tell("connected", nil)
			case ngrok.EventTypeAgentDisconnected:
				tell("disconnected", nil)
			}
		}),
	}
	if follow.Interval > 0 {
		options = append(options, ngrok.WithHeartbeatInterval(time.Duration(follow.Interval)*time.Second))
	}
	if follow.Tolerance > 0 {
		options = append(options, ngrok.WithHeartbeatTolerance(time.Duration(follow.Tolerance)*time.Second))
	}
	if len(follow.Commands) > 0 {
		options = append(options, ngrok.WithRPCHandler(
			func(_ context.Context, _ ngrok.AgentSession, request rpc.Request) ([]byte, error) {
				tell("command", map[string]any{"command": request.Method()})
				return nil, nil
			},
		))
	}
	agent, err := ngrok.NewAgent(options...)
	if err != nil {
		panic(err)
	}
	if err := agent.Connect(context.Background()); err != nil {
		refused(err)
		return
	}
	forwarders := []ngrok.EndpointForwarder{}
	for _, wish := range follow.Endpoints {
		forwarders = append(forwarders, publish(agent, len(forwarders), wish))
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "close":
			number, _ := strconv.Atoi(rest)
			_ = forwarders[number].Close()
			tell("closed", map[string]any{"number": number})
		case "diagnose":
			result, err := agent.(ngrok.Diagnoser).Diagnose(context.Background(), "")
			if err != nil {
				panic(err)
			}
			tell("diagnosed", map[string]any{"region": result.Region})
		case "open":
			var wish endpoint
			if err := json.Unmarshal([]byte(rest), &wish); err != nil {
				panic(err)
			}
			forwarders = append(forwarders, publish(agent, len(forwarders), wish))
		}
	}
	_ = agent.Disconnect()
	tell("ended", nil)
}
