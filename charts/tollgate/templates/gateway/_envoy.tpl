{{/* Envoy's bootstrap: where its control plane is; all else comes over ADS. Paths are those of the container. */}}
{{- define "tollgate.envoy.bootstrap" -}}
{{- $operator := include "tollgate.host" (list . "operator") -}}
admin:
  # It can stop Envoy. No port, not even on loopback: an API's upstream can be any address that Envoy can reach.
  address: {pipe: {path: /run/tollgate/admin.sock, mode: 384}}
dynamic_resources:
  # No time-out for the first configuration: without it there is nothing to serve, and the pod is not ready.
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services:
      # Envoy's own back-off grows to 30 s, for which an edit after a restart of the operator would wait.
      - envoy_grpc:
          cluster_name: tollgate/ads
          retry_policy: {retry_back_off: {base_interval: 0.25s, max_interval: 2s}}
overload_manager:
  resource_monitors:
    - name: envoy.resource_monitors.global_downstream_max_connections
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
        max_active_downstream_connections: {{ int64 .Values.gateway.envoy.maxConnections }}
static_resources:
  clusters:
    - name: tollgate/ads
      type: STRICT_DNS
      connect_timeout: 5s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config:
            http2_protocol_options:
              connection_keepalive: {interval: 30s, timeout: 10s}
      load_assignment:
        cluster_name: tollgate/ads
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: {{ $operator }}, port_value: 18000}}}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: {{ $operator }}
          common_tls_context:
            tls_params: {tls_minimum_protocol_version: TLSv1_2}
            tls_certificate_sds_secret_configs:
              - name: tollgate/ads/certificate
                sds_config: {path_config_source: {path: /etc/envoy/sds-certificate.yaml}, resource_api_version: V3}
            combined_validation_context:
              default_validation_context:
                match_typed_subject_alt_names:
                  - {san_type: DNS, matcher: {exact: {{ $operator }}}}
              validation_context_sds_secret_config:
                name: tollgate/ads/ca
                sds_config: {path_config_source: {path: /etc/envoy/sds-ca.yaml}, resource_api_version: V3}
    - name: tollgate/admin
      type: STATIC
      connect_timeout: 1s
      load_assignment:
        cluster_name: tollgate/admin
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {pipe: {path: /run/tollgate/admin.sock}}}
  listeners:
    # What probes and Prometheus may see of the admin interface, and no more.
    - name: tollgate/probes
      address: {socket_address: {address: 0.0.0.0, port_value: 9902}}
      ignore_global_conn_limit: true
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: probes
                normalize_path: true
                request_headers_timeout: 5s
                stream_idle_timeout: 30s
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  name: probes
                  virtual_hosts:
                    - name: probes
                      domains: ["*"]
                      routes:
                        {{- range list "/ready" "/stats/prometheus" }}
                        - match:
                            path: {{ . }}
                            headers: [{name: ":method", string_match: {exact: GET}}]
                          route: {cluster: tollgate/admin, timeout: 10s}
                        {{- end }}
                        # Alive, whether ready or draining.
                        - match: {path: /healthz}
                          direct_response: {status: 200, body: {inline_string: "alive\n"}}
                        - match: {prefix: /}
                          direct_response: {status: 404, body: {inline_string: "not found\n"}}
{{ end -}}

{{/* Certificates by file SDS: Envoy takes up renewed ones when the mounted Secret changes. */}}
{{- define "tollgate.envoy.certificate" -}}
resources:
  - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
    name: tollgate/ads/certificate
    tls_certificate:
      certificate_chain: {filename: /etc/tollgate/tls/tls.crt}
      private_key: {filename: /etc/tollgate/tls/tls.key}
      watched_directory: {path: /etc/tollgate/tls}
{{ end -}}

{{- define "tollgate.envoy.ca" -}}
resources:
  - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
    name: tollgate/ads/ca
    validation_context:
      trusted_ca: {filename: /etc/tollgate/tls/ca.crt}
      watched_directory: {path: /etc/tollgate/tls}
{{ end -}}
