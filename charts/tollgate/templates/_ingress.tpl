{{- /* An Ingress: (root, values, name, component, path, service's port). */ -}}
{{- define "tollgate.ingress" -}}
{{- $root := index . 0 -}}{{- $values := index . 1 -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ index . 2 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tollgate.labels" (list $root (index . 3)) | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $values.className }}
  ingressClassName: {{ . }}
  {{- end }}
  rules:
    {{- $path := index . 4 }}{{- $component := index . 3 }}{{- $port := index . 5 }}
    {{- range $values.hosts }}
    - host: {{ . | quote }}
      http:
        paths:
          - path: {{ $path }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "tollgate.fullname" $root }}-{{ $component }}
                port: {name: {{ $port }}}
    {{- end }}
  {{- with $values.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
