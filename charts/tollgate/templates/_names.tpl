{{/* Prefix of the names of all objects. Short enough for the longest suffix in a label or a Service's name. */}}
{{- define "tollgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of what lives outside the namespace. */}}
{{- define "tollgate.clusterName" -}}
{{- printf "%s-%s" (include "tollgate.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "tollgate.secret.keys" -}}
{{- default (printf "%s-keys" (include "tollgate.fullname" .)) .Values.keys.existingSecret -}}
{{- end -}}

{{/* A component's TLS Secret; call with (list $ "billing"). */}}
{{- define "tollgate.secret.tls" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- default (printf "%s-%s-tls" (include "tollgate.fullname" $root) $component) (index $root.Values.tls.existingSecrets $component) -}}
{{- end -}}

{{/* Host name of a component's Service; call with (list $ "billing"). */}}
{{- define "tollgate.host" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s.%s.svc" (include "tollgate.fullname" $root) (index . 1) $root.Release.Namespace -}}
{{- end -}}

{{/* Labels that never change: selectors. Call with (list $ "billing"). */}}
{{- define "tollgate.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of the release's pods, whatever their component. */}}
{{- define "tollgate.releaseSelector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of an object. Call with (list $ "billing"). */}}
{{- define "tollgate.labels" -}}
{{- $root := index . 0 -}}
{{- include "tollgate.selector" . }}
app.kubernetes.io/part-of: tollgate
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") | quote }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image of ours; call with (list $ "billing"). */}}
{{- define "tollgate.image" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $image := $root.Values.image -}}
{{- $digest := index $image.digests $component -}}
{{- printf "%s/%s/%s:%s" $image.registry $image.repository $component (default $root.Chart.AppVersion $image.tag) -}}
{{- if $digest -}}@{{ $digest }}{{- end -}}
{{- end -}}

{{/* An image of others; call with its values. */}}
{{- define "tollgate.foreignImage" -}}
{{- printf "%s/%s:%s" .registry .repository .tag -}}
{{- if .digest -}}@{{ .digest }}{{- end -}}
{{- end -}}
