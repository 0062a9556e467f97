{{/* list $ NAME COMPONENT: what every container of the trainer's image has. */}}
{{- define "plaudit.trainerContainer" -}}
{{- $root := first . -}}
{{- $c := last . -}}
image: {{ include "plaudit.image" (list $root $c.service $c.values.image) | quote }}
imagePullPolicy: {{ $root.Values.images.pullPolicy }}
{{ include "plaudit.containerSecurity" $root }}
{{ include "plaudit.env" . }}
resources: {{- toYaml $c.values.resources | nindent 2 }}
volumeMounts: {{- include "plaudit.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/*
The learner as process 1's child. It also ends with 0 when it, or the first node's, was stopped with a
checkpoint; as long as there is no final model the code is then 143, so that the Job starts this index
again. Nodes end together (torchrun's exit barrier), but a shared volume may show a file late.
*/}}
{{- define "plaudit.learnerScript" -}}
# A run that is over stays over.
if [ -e {{ include "plaudit.runDir" . }}/summary.json ]; then exit 0; fi
stopped= child=
trap 'stopped=1; [ -z "$child" ] || kill -TERM $child' TERM INT
{{- if eq (include "plaudit.numProcesses" .) "1" }}
plaudit-trainer learner --run-dir {{ include "plaudit.runDir" . }} &
{{- else }}
torchrun --nnodes={{ .Values.trainer.learner.nodes }} --nproc-per-node={{ .Values.trainer.learner.processesPerNode }} \
  --rdzv-backend=c10d --rdzv-endpoint="$JOB_NAME-0.{{ include "plaudit.name" (list . "learner") }}:29400" --rdzv-id="$JOB_NAME" \
  --rdzv-conf=join_timeout=3600 --max-restarts={{ .Values.trainer.learner.maxRestarts }} --shutdown-timeout={{ sub (int .Values.trainer.learner.terminationGracePeriodSeconds) 10 }} \
  -m plaudit_trainer.learner --run-dir {{ include "plaudit.runDir" . }} &
{{- end }}
child=$!
[ -z "$stopped" ] || kill -TERM $child
code=0; wait $child || code=$?
final={{ include "plaudit.runDir" . }}/final
if [ "$stopped" ]; then
  # A signal ends `wait`; whatever torchrun makes of it afterwards, this was a stop.
  [ $code -le 128 ] || wait $child || true
  [ -e $final ] || exit 143
  exit 0
fi
if [ $code = 0 ]; then
  timeout 60 sh -c 'until [ -e "$0" ]; do sleep 0.2; done' $final || exit 143
fi
exit $code
{{- end -}}

{{- define "plaudit.numProcesses" -}}
{{- mul (int .Values.trainer.learner.nodes) (int .Values.trainer.learner.processesPerNode) -}}
{{- end -}}

{{- define "plaudit.learnerContainer" -}}
{{- $root := first . -}}
{{ include "plaudit.trainerContainer" . }}
command: [sh, -c]
args:
  - |
    {{- include "plaudit.learnerScript" $root | nindent 4 }}
ports:
  - {name: rendezvous, containerPort: 29400}
{{- end -}}

{{/* list $ COMPONENT: the Job's spec, the same in a Job and in a JobSet. */}}
{{- define "plaudit.learnerJob" -}}
{{- $root := first . -}}
{{- $c := last . -}}
{{- $name := "learner" -}}
completionMode: Indexed
completions: {{ $c.values.nodes }}
parallelism: {{ $c.values.nodes }}
backoffLimit: {{ $c.values.maxRestarts }}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    # A drained node is no failure.
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
    # Nor is a learner that was stopped with a checkpoint.
    - action: Ignore
      onExitCodes: {containerName: learner, operator: In, values: [143]}
    # 2: a setting is wrong; 3: the run stalled. Another start would not mend it.
    - action: FailJob
      onExitCodes: {containerName: learner, operator: In, values: [2, 3]}
template:
  metadata: {{- include "plaudit.podMetadata" (list $root $name $c) | nindent 4 }}
      checksum/recipe: {{ include "plaudit.recipeFiles" $root | sha256sum }}
  spec:
    {{- include "plaudit.podSecurity" 10001 | nindent 4 }}
    {{- include "plaudit.scheduling" (list $root $name $c.values) | nindent 4 }}
    restartPolicy: Never
    subdomain: {{ include "plaudit.name" (list $root $name) }}
    terminationGracePeriodSeconds: {{ $c.values.terminationGracePeriodSeconds }}
    initContainers:
      - name: wait-for-run
        {{- include "plaudit.trainerContainer" (list $root $name $c) | nindent 8 }}
        command: [sh, -c]
        args:
          - |
            {{- include "plaudit.waitFor" (list (printf "%s/run.json" (include "plaudit.runDir" $root)) 1800) | nindent 12 }}
    containers:
      - name: learner
        {{- include "plaudit.learnerContainer" (list $root $name $c) | nindent 8 }}
    volumes: {{- include "plaudit.volumes" (list $root $name $c) | nindent 6 }}
{{- end -}}
