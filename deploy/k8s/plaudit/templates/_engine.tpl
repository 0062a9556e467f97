{{/* list $ COMPONENT: vLLM and the worker beside it, as one pod. */}}
{{- define "plaudit.enginePod" -}}
{{- $root := first . -}}
{{- $c := last . -}}
{{- $name := "rollout-engine" -}}
metadata: {{- include "plaudit.podMetadata" (list $root $name $c) | nindent 2 }}
spec:
  {{- include "plaudit.podSecurity" 10001 | nindent 2 }}
  {{- include "plaudit.scheduling" (list $root $name $c.values) | nindent 2 }}
  terminationGracePeriodSeconds: {{ $c.values.terminationGracePeriodSeconds }}
  {{- include "plaudit.waitForSeed" . | nindent 2 }}
  containers:
    - name: engine
      {{- include "plaudit.engineContainer" . | nindent 6 }}
      ports:
        - {name: http, containerPort: {{ $c.port }}}
        - {name: metrics, containerPort: 9100}
      # A model takes minutes to load. After that `plaudit-rollout engine` itself restarts vLLM.
      startupProbe:
        httpGet: {path: /v1/models, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: {{ $c.values.startupChecks }}
      livenessProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /health, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
    - name: worker
      image: {{ include "plaudit.image" (list $root $c.service $c.values.image) | quote }}
      imagePullPolicy: {{ $root.Values.images.pullPolicy }}
      command: [plaudit-rollout, worker]
      {{- include "plaudit.containerSecurity" $root | nindent 6 }}
      {{- include "plaudit.workerEnv" . | nindent 6 }}
      ports:
        - {name: worker-metrics, containerPort: 9101}
      {{- include "plaudit.probes" "worker-metrics" | nindent 6 }}
      resources: {{- toYaml $c.values.workerResources | nindent 8 }}
      volumeMounts: {{- include "plaudit.volumeMounts" (list $root $name $c) | nindent 8 }}
  volumes: {{- include "plaudit.volumes" (list $root $name $c) | nindent 4 }}
{{- end -}}

{{/* list $ COMPONENT. With several nodes each says which one it is. */}}
{{- define "plaudit.engineContainer" -}}
{{- $root := first . -}}
{{- $c := last . -}}
image: {{ include "plaudit.image" (list $root $c.service $c.values.image) | quote }}
imagePullPolicy: {{ $root.Values.images.pullPolicy }}
{{- if $c.values.leaderWorkerSet.enabled }}
command: [sh, -ec]
args:
  - |
    {{- include "plaudit.multiNodeScript" $c | nindent 4 }}
{{- else }}
command: {{ toJson $c.args }}
{{- end }}
{{ include "plaudit.containerSecurity" $root }}
envFrom:
  - configMapRef: {name: {{ include "plaudit.name" (list $root "rollout-engine") }}}
{{- with $c.values.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml $c.values.resources | nindent 2 }}
volumeMounts: {{- include "plaudit.volumeMounts" (list $root "rollout-engine" $c) | nindent 2 }}
{{- end -}}

{{/*
vLLM over several nodes: the leader serves, the others have no HTTP, so nobody waits for theirs.
The variables LWS_* are LeaderWorkerSet's.
*/}}
{{- define "plaudit.multiNodeScript" -}}
headless=
if [ "$LWS_WORKER_INDEX" != 0 ]; then
  headless=', "--headless"'
  export PLAUDIT_ROLLOUT_START_TIMEOUT_S=1e9
fi
node="\"--nnodes\", \"$LWS_GROUP_SIZE\", \"--node-rank\", \"$LWS_WORKER_INDEX\", \"--master-addr\", \"$LWS_LEADER_ADDRESS\""
more={{ include "plaudit.moreEngineArguments" . | squote }}
export PLAUDIT_ROLLOUT_ENGINE_ARGUMENTS="[$node$headless$more]"
exec plaudit-rollout engine
{{- end -}}

{{- define "plaudit.moreEngineArguments" -}}
{{- range .values.config.engine_arguments | default list }}, {{ toJson . }}{{ end -}}
{{- end -}}

{{/* list $ COMPONENT: as the engine's, but for its own port, its name and Redis. */}}
{{- define "plaudit.workerEnv" -}}
{{- $root := first . -}}
{{- $c := last . -}}
envFrom:
  - configMapRef: {name: {{ include "plaudit.name" (list $root "rollout-engine") }}}
env:
  - {name: PLAUDIT_ROLLOUT_WORKER_PORT, value: "9101"}
  - name: PLAUDIT_ROLLOUT_REPLICA_ID
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- with $root.Values.externalRedis }}
{{- if .existingSecret }}
  - name: PLAUDIT_REDIS_URL
    valueFrom:
      secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .urlKey | quote }}}
{{- end }}
{{- end }}
{{- with $c.values.env }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{/* list $ COMPONENT: the tiny model is built beside the conductor. */}}
{{- define "plaudit.waitForSeed" -}}
{{- $root := first . -}}
{{- $c := last . -}}
{{- if eq $root.Values.model.path "seed" -}}
initContainers:
  - name: wait-for-model
    image: {{ include "plaudit.image" (list $root $c.service $c.values.image) | quote }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    command: [sh, -c]
    args:
      - |
        {{- include "plaudit.waitFor" (list (printf "%s/config.json" (include "plaudit.modelPath" $root)) 1800) | nindent 8 }}
    {{- include "plaudit.containerSecurity" $root | nindent 4 }}
    resources: {{- toYaml $c.values.workerResources | nindent 6 }}
    volumeMounts: {{- include "plaudit.volumeMounts" (list $root "rollout-engine" $c) | nindent 6 }}
{{- end -}}
{{- end -}}
