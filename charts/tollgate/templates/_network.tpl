{{/* Peers: pods of the release. Call with (list $ "gateway" "operator"). */}}
{{- define "tollgate.peers" -}}
{{- $root := index . 0 -}}
{{- range rest . }}
- podSelector:
    matchLabels:
      {{- include "tollgate.selector" (list $root .) | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Ports of a rule; call with a list of numbers. */}}
{{- define "tollgate.tcp" -}}
ports:
  {{- range . }}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
{{- end -}}

{{/* Name, labels and selection of a component's policy; call with (list $ "gateway"). */}}
{{- define "tollgate.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "tollgate.fullname" (index . 0) }}-{{ index . 1 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "tollgate.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "tollgate.selector" . | nindent 6 }}
{{- end -}}

{{/* Egress to Redis, embedded or not. */}}
{{- define "tollgate.egress.redis" -}}
{{- if include "tollgate.externalRedis" . }}
{{- with .Values.networkPolicy.redis }}
- {{ include "tollgate.tcp" .ports | nindent 2 | trim }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- else }}
- {{ include "tollgate.tcp" (list 6379) | nindent 2 | trim }}
  to:
    {{- include "tollgate.peers" (list . "valkey") | trim | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Ingress to metrics ports; call with (list $ 9902 9100). */}}
{{- define "tollgate.ingress.metrics" -}}
{{- $root := index . 0 -}}
{{- if or $root.Values.monitoring.enabled $root.Values.networkPolicy.metricsClients }}
- {{ include "tollgate.tcp" (rest .) | nindent 2 | trim }}
  from:
    {{- toYaml (default (list (dict "namespaceSelector" dict)) $root.Values.networkPolicy.metricsClients) | nindent 4 }}
{{- end }}
{{- end -}}
