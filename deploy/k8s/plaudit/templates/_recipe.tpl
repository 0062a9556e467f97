{{- define "plaudit.recipeFiles" -}}
{{- $files := dict "deepspeed.json" (toJson .Values.trainer.deepspeed) -}}
{{- if .Values.trainer.recipeText }}{{ $_ := set $files "recipe.toml" .Values.trainer.recipeText }}{{ end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* What makes the run's directory, or finds it made (docs/trainer.md). */}}
{{- define "plaudit.prepare" -}}
{{- $args := list "plaudit-trainer" "prepare" (ternary "/etc/plaudit/recipe/recipe.toml" .Values.trainer.recipe (ne .Values.trainer.recipeText "")) "--run-dir" (include "plaudit.runDir" .) -}}
{{- $set := list (print "model.path=" .Values.model.path) (print "model.dtype=" .Values.model.dtype) (printf "model.max_model_tokens=%d" (int .Values.model.maxModelTokens)) -}}
{{- if .Values.trainer.deepspeed }}{{ $set = append $set "learner.deepspeed=/etc/plaudit/recipe/deepspeed.json" }}{{ end -}}
{{- range concat $set .Values.trainer.set }}{{ $args = concat $args (list "--set" .) }}{{ end -}}
{{- toJson $args -}}
{{- end -}}

{{/* The tiny model and its task, under a name that engines know before it is built. */}}
{{- define "plaudit.seedScript" -}}
model=$(plaudit-trainer seed --cache-dir "$PLAUDIT_CACHE_DIR" |
  python -c 'import json, sys; print(json.load(sys.stdin)["model_dir"])')
ln -sfn "$model" "$PLAUDIT_CACHE_DIR/seed-model"
{{- end -}}

{{/* list FILE SECONDS: waits for what another pod writes on the shared volume. */}}
{{- define "plaudit.waitFor" -}}
timeout {{ last . }} sh -c 'until [ -e "$0" ]; do sleep 2; done' {{ first . }} ||
  { echo "{{ first . }} was not there after {{ last . }} s: is the conductor running?" >&2; exit 1; }
{{- end -}}
