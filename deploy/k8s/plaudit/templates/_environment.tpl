{{/* A value of `config` as plaudit reads it from the environment: lists and tables as JSON. */}}
{{- define "plaudit.configValue" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* list $ NAME COMPONENT: the data of its ConfigMap. */}}
{{- define "plaudit.environment" -}}
{{- $root := first . -}}
{{- $name := index . 1 -}}
{{- $c := last . -}}
{{- $prefix := printf "PLAUDIT_%s_" (upper $c.service) -}}
{{- $env := dict "PLAUDIT_LOG_FORMAT" "json" -}}
{{- $_ := set $env (print $prefix "HOST") "0.0.0.0" -}}
{{- if or $c.worker (eq $name "rollout-engine") }}{{ $_ := set $env (print $prefix "WORKER_PORT") "9100" }}{{ end -}}
{{- if $c.keys }}{{ $_ := set $env "PLAUDIT_API_KEY_FILE" "/etc/plaudit/keys/api_key" }}{{ end -}}
{{- if eq (include "plaudit.serves" $c) "true" }}{{ $_ := set $env "PLAUDIT_API_KEYS_FILE" "/etc/plaudit/keys/api_keys" }}{{ end -}}
{{- range $peer, $port := dict "rollout-api" 8101 "reward-api" 8102 "judge-api" 8103 "sandbox" 8104 }}
{{- if has $peer $c.calls }}{{ $_ := set $env (printf "PLAUDIT_%s_URL" (first (splitList "-" $peer) | upper)) (printf "http://%s:%d" (include "plaudit.name" (list $root $peer)) (int $port)) }}{{ end -}}
{{- end }}
{{- if and (has "redis" $c.calls) (not $root.Values.externalRedis.existingSecret) }}{{ $_ := set $env "PLAUDIT_REDIS_URL" (printf "redis://%s:6379/0" (include "plaudit.name" (list $root "redis"))) }}{{ end -}}
{{- if eq $c.service "trainer" }}{{ $_ := mergeOverwrite $env (include "plaudit.trainerEnvironment" $root | fromYaml) }}{{ end -}}
{{- if and $root.Values.tracing.endpoint $c.calls }}{{ $_ := set $env "PLAUDIT_OTLP_ENDPOINT" $root.Values.tracing.endpoint }}{{ end -}}
{{- if eq $name "sandbox" }}{{ $_ := set $env "PLAUDIT_SANDBOX_ALLOW_UNAUTHENTICATED" "true" }}{{ end -}}
{{- if eq $name "rollout-engine" }}{{ $_ := mergeOverwrite $env (include "plaudit.engineEnvironment" $root | fromYaml) }}{{ end -}}
{{- if eq $c.service "judge" }}{{ $_ := set $env "PLAUDIT_JUDGE_ENGINE_URLS" (include "plaudit.engineUrls" $root) }}{{ end -}}
{{- range $key, $value := $c.values.config }}
{{- $_ := set $env (print $prefix (upper $key)) (include "plaudit.configValue" $value) -}}
{{- end }}
{{- toYaml $env -}}
{{- end -}}

{{/* Whether others call it with a key. */}}
{{- define "plaudit.serves" -}}
{{- and .keys (or (has "api" .args) (has "conductor" .args)) -}}
{{- end -}}

{{- define "plaudit.engineEnvironment" -}}
PLAUDIT_ROLLOUT_MODEL: {{ include "plaudit.modelPath" . | quote }}
PLAUDIT_ROLLOUT_DTYPE: {{ .Values.model.dtype | quote }}
PLAUDIT_ROLLOUT_MAX_MODEL_TOKENS: {{ .Values.model.maxModelTokens | int | quote }}
PLAUDIT_ROLLOUT_HUB_OFFLINE: {{ not .Values.model.hub.enabled | quote }}
PLAUDIT_ROLLOUT_ENGINE_HOST: "0.0.0.0"
PLAUDIT_ROLLOUT_POLICY_ROOT: /var/lib/plaudit/runs
{{- include "plaudit.hubEnvironment" . }}
{{- end -}}

{{- define "plaudit.trainerEnvironment" -}}
PLAUDIT_CACHE_DIR: /var/lib/plaudit/cache
{{- include "plaudit.hubEnvironment" . }}
{{- end -}}

{{- define "plaudit.hubEnvironment" }}
{{- if .Values.model.hub.enabled }}
HF_HOME: /var/lib/plaudit/cache/huggingface
{{- if .Values.model.hub.existingSecret }}
HF_TOKEN_PATH: /etc/plaudit/hub/token
{{- end }}
{{- else }}
HF_HUB_OFFLINE: "1"
{{- end }}
{{- end -}}

{{/* One by one where their number stands; otherwise the Service that spreads over them. */}}
{{- define "plaudit.engineUrls" -}}
{{- $engine := index (include "plaudit.components" . | fromYaml) "rollout-engine" | default dict -}}
{{- $name := include "plaudit.name" (list . "rollout-engine") -}}
{{- $urls := list -}}
{{- if $engine }}
{{- $replicas := int $engine.values.replicas -}}
{{- if and (eq $engine.values.autoscaling.kind "none") (le $replicas 64) (not $engine.values.leaderWorkerSet.enabled) }}
{{- range $i := until $replicas }}{{ $urls = append $urls (printf "http://%s-%d.%s-pods:8201" $name $i $name) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson ($urls | default (list (printf "http://%s:8201" $name))) -}}
{{- end -}}
