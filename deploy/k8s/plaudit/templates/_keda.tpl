{{/*
list $ NAME COMPONENT KIND. One trigger a lane, by lag (jobs that no worker has seen): what is pending
never exceeds what the workers hold, so it cannot ask for more of them. Never below one: the first
worker makes the consumer groups, and KEDA wakes from 0 only at the second job.
*/}}
{{- define "plaudit.scaledObject" -}}
{{- $root := first . -}}
{{- $name := include "plaudit.name" (list $root (index . 1)) -}}
{{- $c := index . 2 -}}
{{- $a := $c.values.autoscaling -}}
{{- $external := $root.Values.externalRedis }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels: {{- include "plaudit.labels" (list $root (index . 1)) | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: {{ last . }}, name: {{ $name }}}
  minReplicaCount: {{ max 1 (int $a.minReplicas) }}
  maxReplicaCount: {{ $a.maxReplicas }}
  fallback: {failureThreshold: 3, replicas: {{ max 1 (int $a.minReplicas) }}}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: {{ $a.scaleDownAfterSeconds }}}}
  triggers:
    {{- range $c.queues }}
    - type: redis-streams
      metadata:
        {{- if $external.existingSecret }}
        address: {{ required "externalRedis.address: KEDA needs HOST:PORT" $external.address | quote }}
        enableTLS: {{ $external.tls | quote }}
        {{- else }}
        address: {{ printf "%s.%s.svc:6379" (include "plaudit.name" (list $root "redis")) $root.Release.Namespace | quote }}
        {{- end }}
        stream: {{ printf "plaudit:q:%s:%s" (first .) (last .) | quote }}
        consumerGroup: workers
        lagCount: {{ $a.lagPerReplica | quote }}
        activationLagCount: "1"
      {{- if and $external.existingSecret $external.passwordKey }}
      authenticationRef: {name: {{ include "plaudit.name" (list $root "redis") }}}
      {{- end }}
    {{- end }}
{{- end -}}
