{{/* Environment of the operator and of its bootstrap. What would be empty is left out: the API server would drop the empty
     value, and GitOps tools would see a difference for ever. */}}
{{- define "tollgate.operator.env" -}}
{{- $name := include "tollgate.fullname" . -}}
{{- $workers := untilStep 0 (int .Values.gateway.extproc.workers) 1 -}}
{{- $gates := list -}}{{- $meters := list -}}
{{- range $workers -}}
{{- $gates = append $gates (printf "unix:/run/tollgate/gate%d.sock" .) -}}
{{- $meters = append $meters (printf "unix:/run/tollgate/meter%d.sock" .) -}}
{{- end -}}
- name: TOLLGATE_NAMESPACE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
- name: TOLLGATE_POD_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}
- name: TOLLGATE_FULLNAME
  value: {{ $name }}
- name: TOLLGATE_DEPLOYMENTS
  value: {{ $name }}-operator,{{ $name }}-billing
{{- if .Values.keys.retain }}
- name: TOLLGATE_KEYS_RETAIN
  value: "true"
{{- end }}
{{- with join "," .Values.watchNamespaces }}
- name: TOLLGATE_WATCH_NAMESPACES
  value: {{ . | quote }}
{{- end }}
- name: TOLLGATE_ADS_LISTEN
  value: 0.0.0.0:18000
{{- if .Values.operator.webhook.enabled }}
- name: TOLLGATE_WEBHOOK_LISTEN
  value: 0.0.0.0:9443
{{- end }}
- name: TOLLGATE_HEALTH_LISTEN
  value: 0.0.0.0:8081
- name: TOLLGATE_BILLING_URL
  value: https://{{ include "tollgate.host" (list . "billing") }}:8443
- name: TOLLGATE_GATEWAY_ADDRESS
  value: 0.0.0.0
- name: TOLLGATE_GATEWAY_PORT
  value: "10080"
- name: TOLLGATE_GATES
  value: {{ join "," $gates }}
- name: TOLLGATE_METERS
  value: {{ join "," $meters }}
- name: TOLLGATE_ACCESS_LOG
  value: /var/log/tollgate/access.log
{{- if .Values.sandbox.enabled }}
- name: TOLLGATE_HOST_ALIASES
  value: sandbox.localhost={{ include "tollgate.host" (list . "sandbox") }}:8080
{{- end }}
- name: TOLLGATE_CA_BUNDLE
  value: {{ .Values.gateway.envoy.caBundle }}
{{- with .Values.gateway.tls.secretName }}
- name: TOLLGATE_GATEWAY_TLS_SECRET
  value: {{ . }}
{{- end }}
{{- with .Values.keys.existingSecret }}
- name: TOLLGATE_KEYS_SECRET
  value: {{ . }}
{{- end }}
{{- with .Values.tls.existingSecrets }}
{{- if .operator }}
- name: TOLLGATE_OPERATOR_TLS_SECRET
  value: {{ .operator }}
- name: TOLLGATE_GATEWAY_CLIENT_SECRET
  value: {{ .gateway }}
- name: TOLLGATE_BILLING_TLS_SECRET
  value: {{ .billing }}
{{- end }}
{{- end }}
{{- end -}}
