{{/* Everybody's: no token, no root, nothing to write to but what is mounted. */}}
{{- define "plaudit.podSecurity" -}}
automountServiceAccountToken: false
# Variables such as PLAUDIT_REDIS_PORT, made from Services, would be unknown settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "plaudit.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* list $ NAME COMPONENT-VALUES: where the pod goes. */}}
{{- define "plaudit.scheduling" -}}
{{- $root := first . -}}
{{- $v := last . -}}
{{- with $root.Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $v.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "plaudit.selector" (list $root (index . 1)) | nindent 8 }}
{{- end -}}

{{/* list $ NAME COMPONENT: labels and annotations; a changed setting starts the pods anew. */}}
{{- define "plaudit.podMetadata" -}}
{{- $c := last . -}}
labels:
  {{- include "plaudit.labels" (list (first .) (index . 1)) | nindent 2 }}
  {{- with $c.values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
annotations:
  checksum/config: {{ include "plaudit.environment" . | sha256sum }}
  {{- with $c.values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{/* list $ NAME COMPONENT: its settings, and the one secret that has no file setting. */}}
{{- define "plaudit.env" -}}
{{- $root := first . -}}
{{- $c := last . -}}
envFrom:
  - configMapRef: {name: {{ include "plaudit.name" (list $root (index . 1)) }}}
{{- $secretUrl := and (has "redis" $c.calls) $root.Values.externalRedis.existingSecret }}
{{- $isLearner := eq (default "" $c.kind) "Learner" }}
{{- if or $secretUrl $c.values.env $isLearner }}
env:
{{- if $isLearner }}
  - name: JOB_NAME
    valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-name']"}}
{{- end }}
{{- if $secretUrl }}
  - name: PLAUDIT_REDIS_URL
    valueFrom:
      secretKeyRef: {name: {{ $root.Values.externalRedis.existingSecret | quote }}, key: {{ $root.Values.externalRedis.urlKey | quote }}}
{{- end }}
{{- with $c.values.env }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end -}}

{{/* list $ NAME COMPONENT */}}
{{- define "plaudit.volumes" -}}
{{- $root := first . -}}
{{- $c := last . -}}
- name: tmp
  emptyDir: {sizeLimit: {{ $c.values.tmpSize | quote }}}
{{- with $c.values.shmSize }}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ . | quote }}}
{{- end }}
{{- if $c.keys }}
- name: keys
  secret:
    secretName: {{ required "auth.existingSecret: name the Secret with api_keys and api_key" $root.Values.auth.existingSecret | quote }}
    defaultMode: 0440
    items:
      - {key: api_key, path: api_key}
      {{- if eq (include "plaudit.serves" $c) "true" }}
      - {key: api_keys, path: api_keys}
      {{- end }}
{{- end }}
{{- range $judge, $secret := include "plaudit.judgeKeys" . | fromYaml }}
- name: judge-{{ $judge }}
  secret:
    secretName: {{ $secret.name | quote }}
    defaultMode: 0440
    items: [{key: {{ $secret.key | quote }}, path: api_key}]
{{- end }}
{{- if include "plaudit.usesShared" . }}
- name: shared
  persistentVolumeClaim: {claimName: {{ include "plaudit.sharedClaim" $root }}}
{{- if $root.Values.model.hub.existingSecret }}
- name: hub
  secret:
    secretName: {{ $root.Values.model.hub.existingSecret | quote }}
    defaultMode: 0440
    items: [{key: {{ $root.Values.model.hub.tokenKey | quote }}, path: token}]
{{- end }}
{{- end }}
{{- if eq $c.service "trainer" }}
- name: recipe
  configMap: {name: {{ include "plaudit.name" (list $root "recipe") }}}
{{- with $root.Values.trainer.dataClaim }}
- name: data
  persistentVolumeClaim: {claimName: {{ . | quote }}, readOnly: true}
{{- end }}
{{- end }}
{{- with $c.values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* list $ NAME COMPONENT */}}
{{- define "plaudit.volumeMounts" -}}
{{- $root := first . -}}
{{- $c := last . -}}
{{- $writes := eq $c.service "trainer" -}}
- {name: tmp, mountPath: /tmp}
{{- if $c.values.shmSize }}
- {name: shm, mountPath: /dev/shm}
{{- end }}
{{- if $c.keys }}
- {name: keys, mountPath: /etc/plaudit/keys, readOnly: true}
{{- end }}
{{- range $judge, $secret := include "plaudit.judgeKeys" . | fromYaml }}
- {name: judge-{{ $judge }}, mountPath: /etc/plaudit/judges/{{ $judge }}, readOnly: true}
{{- end }}
{{- if include "plaudit.usesShared" . }}
- {name: shared, mountPath: /var/lib/plaudit/runs, subPath: runs, readOnly: {{ not $writes }}}
- {name: shared, mountPath: /var/lib/plaudit/cache, subPath: cache, readOnly: {{ not (or $writes $root.Values.model.hub.enabled) }}}
{{- if $root.Values.model.hub.existingSecret }}
- {name: hub, mountPath: /etc/plaudit/hub, readOnly: true}
{{- end }}
{{- end }}
{{- if eq $c.service "trainer" }}
- {name: recipe, mountPath: /etc/plaudit/recipe, readOnly: true}
{{- if $root.Values.trainer.dataClaim }}
- {name: data, mountPath: /var/lib/plaudit/data, readOnly: true}
{{- end }}
{{- end }}
{{- with $c.values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "plaudit.usesShared" -}}
{{- if or (eq (last .).service "trainer") (eq (index . 1) "rollout-engine") }}true{{ end -}}
{{- end -}}

{{/* list $ NAME COMPONENT: the keys of other people's judges. The API lists who lacks one, so it has all. */}}
{{- define "plaudit.judgeKeys" -}}
{{- $name := index . 1 -}}
{{- $found := dict -}}
{{- if eq (last .).service "judge" }}
{{- range $judge, $own := (first .).Values.judge.judges }}
{{- $secret := ($own | default dict).keySecret -}}
{{- if and $secret (or (eq $name "judge-api") (eq $name (printf "judge-%s" $judge))) }}{{ $_ := set $found $judge $secret }}{{ end -}}
{{- end }}
{{- end }}
{{- toYaml $found -}}
{{- end -}}

{{/* The name of a port: started, alive, ready. */}}
{{- define "plaudit.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}
