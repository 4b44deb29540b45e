{{/* What the schema cannot say: values that contradict each other. */}}
{{- define "tollgate.validate" -}}
{{- $v := .Values -}}
{{- $postgresql := include "tollgate.externalDatabase" . -}}
{{- $redis := include "tollgate.externalRedis" . -}}
{{- if and (not $postgresql) (gt (int $v.billing.replicas) 1) -}}
{{- fail "billing.replicas is greater than 1, but the ledger is SQLite on a claim, which one process can use. Name a PostgreSQL database in database.url or database.existingSecret.name." -}}
{{- end -}}
{{- if and (not $postgresql) $v.billing.autoscaling.enabled -}}
{{- fail "billing.autoscaling.enabled needs PostgreSQL: name it in database.url or database.existingSecret.name." -}}
{{- end -}}
{{- if and $v.database.url $v.database.existingSecret.name -}}
{{- fail "database.url and database.existingSecret.name are both set; one of them says where the ledger is." -}}
{{- end -}}
{{- if and $v.redis.url $v.redis.existingSecret.name -}}
{{- fail "redis.url and redis.existingSecret.name are both set; one of them says where Redis is." -}}
{{- end -}}
{{- if and $redis $v.valkey.enabled -}}
{{- fail "valkey.enabled is true and redis names another server; set valkey.enabled=false, or leave redis empty." -}}
{{- end -}}
{{- if not (or $redis $v.valkey.enabled) -}}
{{- fail "valkey.enabled is false and redis names no other server; set redis.url or redis.existingSecret.name." -}}
{{- end -}}
{{- if lt (int $v.gateway.terminationGracePeriodSeconds) (add 45 (int $v.gateway.drainSeconds)) -}}
{{- fail "gateway.terminationGracePeriodSeconds must be at least 45 greater than gateway.drainSeconds: after the drain Envoy writes its last lines, and the witness settles them." -}}
{{- end -}}
{{- range $name := list "gateway" "billing" -}}
{{- $autoscaling := (index $v $name).autoscaling -}}
{{- if and $autoscaling.enabled (gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas is greater than maxReplicas." $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateway that it belongs to." -}}
{{- end -}}
{{- if and $v.webhooks.ingress.enabled (not $v.webhooks.ingress.hosts) -}}
{{- fail "webhooks.ingress.enabled needs webhooks.ingress.hosts." -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts." -}}
{{- end -}}
{{- if and (eq $v.gateway.service.type "ClusterIP") (ne (int $v.gateway.service.nodePort) 0) -}}
{{- fail "gateway.service.nodePort needs gateway.service.type NodePort or LoadBalancer." -}}
{{- end -}}
{{- if and (eq $v.gateway.service.type "ClusterIP") $v.gateway.service.externalTrafficPolicy -}}
{{- fail "gateway.service.externalTrafficPolicy needs gateway.service.type NodePort or LoadBalancer." -}}
{{- end -}}
{{- if and (ne $v.gateway.service.type "LoadBalancer") (or $v.gateway.service.loadBalancerClass $v.gateway.service.loadBalancerSourceRanges) -}}
{{- fail "gateway.service.loadBalancerClass and loadBalancerSourceRanges need gateway.service.type LoadBalancer." -}}
{{- end -}}
{{- if $v.networkPolicy.enabled -}}
{{- include "tollgate.validatePort" (dict "url" $v.redis.url "name" "redis" "default" 6379 "ports" $v.networkPolicy.redis.ports) -}}
{{- include "tollgate.validatePort" (dict "url" $v.database.url "name" "database" "default" 5432 "ports" $v.networkPolicy.database.ports) -}}
{{- end -}}
{{- range $name, $image := dict "image" $v.image "gateway.envoy.image" $v.gateway.envoy.image "valkey.image" $v.valkey.image -}}
{{- if eq $image.tag "latest" -}}
{{- fail (printf "%s.tag is latest: what runs would depend on when a node pulled it. Name a version." $name) -}}
{{- end -}}
{{- end -}}
{{- $existing := $v.tls.existingSecrets -}}
{{- $named := len (compact (list $existing.operator $existing.gateway $existing.billing)) -}}
{{- if not (has $named (list 0 3)) -}}
{{- fail "tls.existingSecrets names some Secrets and not others; they must come from one certificate authority, so name all three or none." -}}
{{- end -}}
{{- end -}}

{{/* A network policy that would cut off what a URL names. */}}
{{- define "tollgate.validatePort" -}}
{{- if .url -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .url).host | trimPrefix ":" | default (toString .default) -}}
{{- $open := list -}}
{{- range .ports -}}{{- $open = append $open (toString (int .)) -}}{{- end -}}
{{- if not (has $port $open) -}}
{{- fail (printf "%s.url uses port %s, which networkPolicy.%s.ports does not open." .name $port .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
