// ngrok's own Go client, told what to do by lines of JSON on its standard input; see ../ngrok_api.py.
//
// Usage: ngrok_api_go BASE_URL; the API key is in the environment variable API_KEY.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"

	ngrok "github.com/ngrok/ngrok-api-go/v7"
	abuse_reports "github.com/ngrok/ngrok-api-go/v7/abuse_reports"
	agent_ingresses "github.com/ngrok/ngrok-api-go/v7/agent_ingresses"
	api_keys "github.com/ngrok/ngrok-api-go/v7/api_keys"
	application_sessions "github.com/ngrok/ngrok-api-go/v7/application_sessions"
	application_users "github.com/ngrok/ngrok-api-go/v7/application_users"
	backends_failover "github.com/ngrok/ngrok-api-go/v7/backends/failover"
	backends_http_response "github.com/ngrok/ngrok-api-go/v7/backends/http_response"
	backends_static_address "github.com/ngrok/ngrok-api-go/v7/backends/static_address"
	backends_tunnel_group "github.com/ngrok/ngrok-api-go/v7/backends/tunnel_group"
	backends_weighted "github.com/ngrok/ngrok-api-go/v7/backends/weighted"
	bot_users "github.com/ngrok/ngrok-api-go/v7/bot_users"
	certificate_authorities "github.com/ngrok/ngrok-api-go/v7/certificate_authorities"
	credentials "github.com/ngrok/ngrok-api-go/v7/credentials"
	m_https_edge_mutual_tls "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_mutual_tls"
	m_https_edge_route_backend "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_backend"
	m_https_edge_route_circuit_breaker "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_circuit_breaker"
	m_https_edge_route_compression "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_compression"
	m_https_edge_route_ip_restriction "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_ip_restriction"
	m_https_edge_route_oauth "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_oauth"
	m_https_edge_route_oidc "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_oidc"
	m_https_edge_route_request_headers "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_request_headers"
	m_https_edge_route_response_headers "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_response_headers"
	m_https_edge_route_saml "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_saml"
	m_https_edge_route_traffic_policy "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_traffic_policy"
	m_https_edge_route_user_agent_filter "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_user_agent_filter"
	m_https_edge_route_webhook_verification "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_webhook_verification"
	m_https_edge_route_websocket_tcp_converter "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_route_websocket_tcp_converter"
	m_https_edge_tls_termination "github.com/ngrok/ngrok-api-go/v7/edge_modules/https_edge_tls_termination"
	m_tcp_edge_backend "github.com/ngrok/ngrok-api-go/v7/edge_modules/tcp_edge_backend"
	m_tcp_edge_ip_restriction "github.com/ngrok/ngrok-api-go/v7/edge_modules/tcp_edge_ip_restriction"
	m_tcp_edge_traffic_policy "github.com/ngrok/ngrok-api-go/v7/edge_modules/tcp_edge_traffic_policy"
	m_tls_edge_backend "github.com/ngrok/ngrok-api-go/v7/edge_modules/tls_edge_backend"
	m_tls_edge_ip_restriction "github.com/ngrok/ngrok-api-go/v7/edge_modules/tls_edge_ip_restriction"
	m_tls_edge_mutual_tls "github.com/ngrok/ngrok-api-go/v7/edge_modules/tls_edge_mutual_tls"
	m_tls_edge_tls_termination "github.com/ngrok/ngrok-api-go/v7/edge_modules/tls_edge_tls_termination"
	m_tls_edge_traffic_policy "github.com/ngrok/ngrok-api-go/v7/edge_modules/tls_edge_traffic_policy"
	edges_https "github.com/ngrok/ngrok-api-go/v7/edges/https"
	edges_https_routes "github.com/ngrok/ngrok-api-go/v7/edges/https_routes"
	edges_tcp "github.com/ngrok/ngrok-api-go/v7/edges/tcp"
	edges_tls "github.com/ngrok/ngrok-api-go/v7/edges/tls"
	endpoints "github.com/ngrok/ngrok-api-go/v7/endpoints"
	event_destinations "github.com/ngrok/ngrok-api-go/v7/event_destinations"
	event_sources "github.com/ngrok/ngrok-api-go/v7/event_sources"
	event_subscriptions "github.com/ngrok/ngrok-api-go/v7/event_subscriptions"
	ip_policies "github.com/ngrok/ngrok-api-go/v7/ip_policies"
	ip_policy_rules "github.com/ngrok/ngrok-api-go/v7/ip_policy_rules"
	ip_restrictions "github.com/ngrok/ngrok-api-go/v7/ip_restrictions"
	kubernetes_operators "github.com/ngrok/ngrok-api-go/v7/kubernetes_operators"
	reserved_addrs "github.com/ngrok/ngrok-api-go/v7/reserved_addrs"
	reserved_domains "github.com/ngrok/ngrok-api-go/v7/reserved_domains"
	secrets "github.com/ngrok/ngrok-api-go/v7/secrets"
	service_users "github.com/ngrok/ngrok-api-go/v7/service_users"
	ssh_certificate_authorities "github.com/ngrok/ngrok-api-go/v7/ssh_certificate_authorities"
	ssh_credentials "github.com/ngrok/ngrok-api-go/v7/ssh_credentials"
	ssh_host_certificates "github.com/ngrok/ngrok-api-go/v7/ssh_host_certificates"
	ssh_user_certificates "github.com/ngrok/ngrok-api-go/v7/ssh_user_certificates"
	tls_certificates "github.com/ngrok/ngrok-api-go/v7/tls_certificates"
	tunnel_sessions "github.com/ngrok/ngrok-api-go/v7/tunnel_sessions"
	tunnels "github.com/ngrok/ngrok-api-go/v7/tunnels"
	vaults "github.com/ngrok/ngrok-api-go/v7/vaults"
)

// Every client there is, by the path of its package.
func clients(config *ngrok.ClientConfig) map[string]any {
	return map[string]any{
		"abuse_reports":                                         abuse_reports.NewClient(config),
		"agent_ingresses":                                       agent_ingresses.NewClient(config),
		"api_keys":                                              api_keys.NewClient(config),
		"application_sessions":                                  application_sessions.NewClient(config),
		"application_users":                                     application_users.NewClient(config),
		"backends/failover":                                     backends_failover.NewClient(config),
		"backends/http_response":                                backends_http_response.NewClient(config),
		"backends/static_address":                               backends_static_address.NewClient(config),
		"backends/tunnel_group":                                 backends_tunnel_group.NewClient(config),
		"backends/weighted":                                     backends_weighted.NewClient(config),
		"bot_users":                                             bot_users.NewClient(config),
		"certificate_authorities":                               certificate_authorities.NewClient(config),
		"credentials":                                           credentials.NewClient(config),
		"edge_modules/https_edge_mutual_tls":                    m_https_edge_mutual_tls.NewClient(config),
		"edge_modules/https_edge_route_backend":                 m_https_edge_route_backend.NewClient(config),
		"edge_modules/https_edge_route_circuit_breaker":         m_https_edge_route_circuit_breaker.NewClient(config),
		"edge_modules/https_edge_route_compression":             m_https_edge_route_compression.NewClient(config),
		"edge_modules/https_edge_route_ip_restriction":          m_https_edge_route_ip_restriction.NewClient(config),
		"edge_modules/https_edge_route_oauth":                   m_https_edge_route_oauth.NewClient(config),
		"edge_modules/https_edge_route_oidc":                    m_https_edge_route_oidc.NewClient(config),
		"edge_modules/https_edge_route_request_headers":         m_https_edge_route_request_headers.NewClient(config),
		"edge_modules/https_edge_route_response_headers":        m_https_edge_route_response_headers.NewClient(config),
		"edge_modules/https_edge_route_saml":                    m_https_edge_route_saml.NewClient(config),
		"edge_modules/https_edge_route_traffic_policy":          m_https_edge_route_traffic_policy.NewClient(config),
		"edge_modules/https_edge_route_user_agent_filter":       m_https_edge_route_user_agent_filter.NewClient(config),
		"edge_modules/https_edge_route_webhook_verification":    m_https_edge_route_webhook_verification.NewClient(config),
		"edge_modules/https_edge_route_websocket_tcp_converter": m_https_edge_route_websocket_tcp_converter.NewClient(config),
		"edge_modules/https_edge_tls_termination":               m_https_edge_tls_termination.NewClient(config),
		"edge_modules/tcp_edge_backend":                         m_tcp_edge_backend.NewClient(config),
		"edge_modules/tcp_edge_ip_restriction":                  m_tcp_edge_ip_restriction.NewClient(config),
		"edge_modules/tcp_edge_traffic_policy":                  m_tcp_edge_traffic_policy.NewClient(config),
		"edge_modules/tls_edge_backend":                         m_tls_edge_backend.NewClient(config),
		"edge_modules/tls_edge_ip_restriction":                  m_tls_edge_ip_restriction.NewClient(config),
		"edge_modules/tls_edge_mutual_tls":                      m_tls_edge_mutual_tls.NewClient(config),
		"edge_modules/tls_edge_tls_termination":                 m_tls_edge_tls_termination.NewClient(config),
		"edge_modules/tls_edge_traffic_policy":                  m_tls_edge_traffic_policy.NewClient(config),
		"edges/https":                                           edges_https.NewClient(config),
		"edges/https_routes":                                    edges_https_routes.NewClient(config),
		"edges/tcp":                                             edges_tcp.NewClient(config),
		"edges/tls":                                             edges_tls.NewClient(config),
		"endpoints":                                             endpoints.NewClient(config),
		"event_destinations":                                    event_destinations.NewClient(config),
		"event_sources":                                         event_sources.NewClient(config),
		"event_subscriptions":                                   event_subscriptions.NewClient(config),
		"ip_policies":                                           ip_policies.NewClient(config),
		"ip_policy_rules":                                       ip_policy_rules.NewClient(config),
		"ip_restrictions":                                       ip_restrictions.NewClient(config),
		"kubernetes_operators":                                  kubernetes_operators.NewClient(config),
		"reserved_addrs":                                        reserved_addrs.NewClient(config),
		"reserved_domains":                                      reserved_domains.NewClient(config),
		"secrets":                                               secrets.NewClient(config),
		"service_users":                                         service_users.NewClient(config),
		"ssh_certificate_authorities":                           ssh_certificate_authorities.NewClient(config),
		"ssh_credentials":                                       ssh_credentials.NewClient(config),
		"ssh_host_certificates":                                 ssh_host_certificates.NewClient(config),
		"ssh_user_certificates":                                 ssh_user_certificates.NewClient(config),
		"tls_certificates":                                      tls_certificates.NewClient(config),
		"tunnel_sessions":                                       tunnel_sessions.NewClient(config),
		"tunnels":                                               tunnels.NewClient(config),
		"vaults":                                                vaults.NewClient(config),
	}
}

type question struct {
	Call  string          `json:"call"`
	Given json.RawMessage `json:"given"`
}

type complaint struct {
	Status  int32  `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func complain(err error) map[string]any {
	var known *ngrok.Error
	if errors.As(err, &known) {
		return map[string]any{"error": complaint{known.StatusCode, known.ErrorCode, known.Msg}}
	}
	return map[string]any{"error": complaint{0, "error", err.Error()}}
}

// The arguments of a method: a context, an id, or a structure that is filled from JSON.
func arguments(method reflect.Value, given json.RawMessage) ([]reflect.Value, error) {
	var values []reflect.Value
	for i := 0; i < method.Type().NumIn(); i++ {
		wanted := method.Type().In(i)
		switch {
		case wanted.Kind() == reflect.Interface:
			values = append(values, reflect.ValueOf(context.Background()))
		case wanted.Kind() == reflect.String:
			var named struct {
				ID             string `json:"id"`
				SubscriptionID string `json:"subscription_id"`
			}
			if err := json.Unmarshal(given, &named); err != nil {
				return nil, err
			}
			values = append(values, reflect.ValueOf(named.ID+named.SubscriptionID))
		default:
			value := reflect.New(wanted.Elem())
			if err := json.Unmarshal(given, value.Interface()); err != nil {
				return nil, err
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// Every item that an iterator has.
func drained(iterator reflect.Value) ([]any, error) {
	items := []any{}
	background := []reflect.Value{reflect.ValueOf(context.Background())}
	for iterator.MethodByName("Next").Call(background)[0].Bool() {
		items = append(items, iterator.MethodByName("Item").Call(nil)[0].Interface())
	}
	err, _ := iterator.MethodByName("Err").Call(nil)[0].Interface().(error)
	return items, err
}

func perform(known map[string]any, asked question) (any, error) {
	place := strings.LastIndex(asked.Call, ".")
	method := reflect.ValueOf(known[asked.Call[:place]]).MethodByName(asked.Call[place+1:])
	values, err := arguments(method, asked.Given)
	if err != nil {
		return nil, err
	}
	results := method.Call(values)
	last := results[len(results)-1]
	if err, failed := last.Interface().(error); failed && err != nil {
		return nil, err
	}
	if !last.IsNil() && last.MethodByName("Next").IsValid() {
		return drained(last)
	}
	if len(results) == 1 {
		return nil, nil
	}
	return results[0].Interface(), nil
}

func main() {
	known := clients(ngrok.NewClientConfig(os.Getenv("API_KEY"), ngrok.WithBaseURL(os.Args[1])))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	write := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		result, err := perform(known, asked)
		if err != nil {
			write.Encode(complain(err))
		} else {
			write.Encode(map[string]any{"result": result})
		}
	}
}
