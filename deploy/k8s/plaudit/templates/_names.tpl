{{/* At most 32 characters, so that every name made of it is legal; told apart by a hash. */}}
{{- define "plaudit.fullname" -}}
{{- $name := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name (include "plaudit.app" .)) (contains (include "plaudit.app" .) .Release.Name)) -}}
{{- if gt (len $name) 32 -}}
{{- printf "%s-%s" (trunc 25 $name | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- define "plaudit.app" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* list $ COMPONENT: at most 52 characters, which a StatefulSet's own labels need. */}}
{{- define "plaudit.name" -}}
{{- $name := printf "%s-%s" (include "plaudit.fullname" (first .)) (last .) -}}
{{- if gt (len $name) 52 -}}
{{- printf "%s-%s" (trunc 45 $name | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* list $ COMPONENT. Never changes for a release: selectors are immutable. */}}
{{- define "plaudit.selector" -}}
app.kubernetes.io/name: {{ include "plaudit.app" (first .) }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* list $ COMPONENT */}}
{{- define "plaudit.labels" -}}
{{ include "plaudit.selector" . }}
app.kubernetes.io/version: {{ (first .).Chart.AppVersion | quote }}
app.kubernetes.io/part-of: plaudit
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
helm.sh/chart: {{ (first .).Chart.Name }}-{{ (first .).Chart.Version }}
{{- end -}}

{{/* list $ SERVICE IMAGE */}}
{{- define "plaudit.image" -}}
{{- $root := first . -}}
{{- $image := last . | default dict -}}
{{- $own := printf "plaudit-%s" (index . 1) -}}
{{- $repository := $image.repository | default (ternary $own (printf "%s/%s" $root.Values.images.registry $own) (empty $root.Values.images.registry)) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default $root.Values.images.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where the run is on the shared volume. */}}
{{- define "plaudit.runDir" -}}
/var/lib/plaudit/runs/{{ .Values.trainer.run | default .Release.Name }}
{{- end -}}

{{- define "plaudit.modelPath" -}}
{{- ternary "/var/lib/plaudit/cache/seed-model" .Values.model.path (eq .Values.model.path "seed") -}}
{{- end -}}

{{- define "plaudit.sharedClaim" -}}
{{- .Values.sharedVolume.existingClaim | default (include "plaudit.name" (list . "shared")) -}}
{{- end -}}
