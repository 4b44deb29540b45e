{{/* Where Redis and the database are, as environment variables. */}}

{{- define "tollgate.connections.secret" -}}
{{- include "tollgate.fullname" . }}-connections
{{- end -}}

{{- define "tollgate.externalRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret.name -}}true{{- end -}}
{{- end -}}

{{- define "tollgate.externalDatabase" -}}
{{- if or .Values.database.url .Values.database.existingSecret.name -}}true{{- end -}}
{{- end -}}

{{- define "tollgate.env.redis" -}}
{{- if not (include "tollgate.externalRedis" .) -}}
- name: TOLLGATE_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "tollgate.secret.keys" . }}, key: redis-password}
- name: TOLLGATE_REDIS_URL
  value: redis://:$(TOLLGATE_REDIS_PASSWORD)@{{ include "tollgate.host" (list . "valkey") }}:6379/0
{{- else -}}
- name: TOLLGATE_REDIS_URL
  valueFrom:
    {{- with .Values.redis.existingSecret }}
    secretKeyRef: {name: {{ default (include "tollgate.connections.secret" $) .name }}, key: {{ ternary .key "redis-url" (ne .name "") }}}
    {{- end }}
{{- end -}}
{{- end -}}

{{- define "tollgate.env.database" -}}
- name: TOLLGATE_DATABASE_URL
{{- if not (include "tollgate.externalDatabase" .) }}
  value: sqlite:////var/lib/tollgate/ledger.db
{{- else }}
  valueFrom:
    {{- with .Values.database.existingSecret }}
    secretKeyRef: {name: {{ default (include "tollgate.connections.secret" $) .name }}, key: {{ ternary .key "database-url" (ne .name "") }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* The key under which customers' keys are hashed. */}}
{{- define "tollgate.env.pepper" -}}
- name: TOLLGATE_KEY_PEPPER
  valueFrom:
    secretKeyRef: {name: {{ include "tollgate.secret.keys" . }}, key: key-pepper}
{{- end -}}
