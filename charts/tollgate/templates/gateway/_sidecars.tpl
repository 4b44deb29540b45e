{{/* Gate, meter and witness as native sidecars: they start before Envoy and end after it. */}}
{{- define "tollgate.gateway.sidecar" -}}
{{- $root := .root -}}
restartPolicy: Always
image: {{ include "tollgate.image" (list $root "extproc") }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- include "tollgate.probes" (dict "port" .port) | nindent 0 }}
resources:
  {{- toYaml .resources | nindent 2 }}
{{- include "tollgate.containerSecurity" $root | nindent 0 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: {{ .volume }}, mountPath: {{ .path }}}
  {{- if .sockets }}
  - {name: sockets, mountPath: /run/tollgate}
  {{- end }}
  {{- with $root.Values.gateway.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What both processes are told. */}}
{{- define "tollgate.gateway.env" -}}
{{- include "tollgate.env.redis" . }}
{{ include "tollgate.env.pepper" . }}
- name: TOLLGATE_NODE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}
{{- with .Values.gateway.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tollgate.gateway.sidecars" -}}
{{- range $i := untilStep 0 (int .Values.gateway.extproc.workers) 1 }}
- name: extproc-{{ $i }}
  command: [tollgate-extproc]
  env:
    - name: TOLLGATE_EXTPROC_LISTEN
      value: unix:/run/tollgate/gate{{ $i }}.sock
    - name: TOLLGATE_METER_LISTEN
      value: unix:/run/tollgate/meter{{ $i }}.sock
    - name: TOLLGATE_STATE_DIR
      value: /var/lib/tollgate/extproc-{{ $i }}
    - name: TOLLGATE_HEALTH_LISTEN
      value: 0.0.0.0:{{ add 9101 $i }}
    {{- include "tollgate.gateway.env" $ | nindent 4 }}
  ports:
    - {name: extproc-{{ $i }}, containerPort: {{ add 9101 $i }}, protocol: TCP}
  {{- include "tollgate.gateway.sidecar" (dict "root" $ "port" (printf "extproc-%d" $i) "resources" $.Values.gateway.extproc.resources "volume" "state" "path" "/var/lib/tollgate" "sockets" true) | nindent 2 }}
{{- end }}
- name: witness
  command: [tollgate-witness]
  env:
    - name: TOLLGATE_ACCESS_LOG
      value: /var/log/tollgate/access.log
    - name: TOLLGATE_STATE_DIR
      value: /var/log/tollgate/witness
    - name: TOLLGATE_ENVOY_ADMIN_URL
      value: unix:/run/tollgate/admin.sock
    - name: TOLLGATE_HEALTH_LISTEN
      value: 0.0.0.0:9100
    # Not on a port: an API with that address as its upstream could drain the pod.
    - name: TOLLGATE_DRAIN_SOCKET
      value: /run/tollgate/drain.sock
    - name: TOLLGATE_DRAIN_SECONDS
      value: {{ .Values.gateway.drainSeconds | quote }}
    {{- include "tollgate.gateway.env" . | nindent 4 }}
  ports:
    - {name: witness, containerPort: 9100, protocol: TCP}
  # Hooks of sidecars run as soon as the pod is to end, beside Envoy's; the sidecars themselves end after Envoy.
  lifecycle:
    preStop:
      exec: {command: [tollgate-witness, drain]}
  {{- include "tollgate.gateway.sidecar" (dict "root" . "port" "witness" "resources" .Values.gateway.witness.resources "volume" "log" "path" "/var/log/tollgate" "sockets" true) | nindent 2 }}
{{- end -}}
