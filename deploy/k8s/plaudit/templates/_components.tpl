{{/*
What runs, as a map by component: which command of which service, where it answers, whom it calls.
Every other template loops over this, so that an edge or a port is said once.

calls: components that it may reach; `redis` and `internet` are understood, too.
queues: lists of QUEUE LANE, whose lag says how much work waits (plaudit.queue).
*/}}
{{- define "plaudit.components" -}}
{{- $v := .Values -}}
{{- $found := dict -}}
{{- $hub := ternary (list "internet") list $v.model.hub.enabled -}}

{{- $_ := set $found "rollout-api" (dict "service" "rollout" "args" (list "plaudit-rollout" "api") "port" 8101 "keys" true
    "calls" (list "redis") "own" $v.rollout.api) -}}
{{- $_ := set $found "rollout-engine" (dict "service" "rollout" "kind" "Engine" "args" (list "plaudit-rollout" "engine") "port" 8201
    "calls" (concat (list "redis") (ternary (list "rollout-engine") list $v.rollout.engine.leaderWorkerSet.enabled) $hub) "queues" (list (list "rollout" "train") (list "rollout" "eval")) "own" $v.rollout.engine) -}}

{{- $_ := set $found "reward-api" (dict "service" "reward" "args" (list "plaudit-reward" "api") "port" 8102 "keys" true
    "calls" (list "redis") "own" $v.reward.api) -}}
{{- range $pool, $own := $v.reward.pools }}
{{- $queue := printf "reward-%s" $pool -}}
{{- $_ := set $found (printf "reward-%s" $pool) (dict "service" "reward" "args" (list "plaudit-reward" "worker" "--pool" $pool) "worker" true
    "calls" (ternary (list "redis" "sandbox") (list "redis") (eq $pool "code"))
    "queues" (list (list $queue "train") (list $queue "eval")) "own" $own) -}}
{{- end }}

{{- $_ := set $found "judge-api" (dict "service" "judge" "args" (list "plaudit-judge" "api") "port" 8103 "keys" true
    "calls" (list "redis" "rollout-api" "rollout-engine" "reward-api") "own" $v.judge.api) -}}
{{- range $judge, $own := $v.judge.judges }}
{{- if eq $judge "api" }}{{ fail "judge.judges.api: that is the name of the API's own Deployment; choose another" }}{{ end -}}
{{- $queue := printf "judge-%s" $judge -}}
{{- $internet := ternary (list "internet") list (default false (($own | default dict).internet)) -}}
{{- $_ := set $found (printf "judge-%s" $judge) (dict "service" "judge" "args" (list "plaudit-judge" "worker" "--judge" $judge) "worker" true "keys" true
    "calls" (concat (list "redis" "rollout-api" "rollout-engine" "reward-api") $internet)
    "queues" (list (list (printf "%s.train" $queue) "train") (list (printf "%s.eval" $queue) "eval")) "own" $own) -}}
{{- end }}

{{- $_ := set $found "sandbox" (dict "service" "sandbox" "args" (list "plaudit-sandbox" "api") "port" 8104
    "calls" list "own" $v.sandbox.api) -}}

{{- $_ := set $found "conductor" (dict "service" "trainer" "kind" "Conductor" "args" (list "plaudit-trainer" "conductor" "--run-dir" (include "plaudit.runDir" .)) "port" 8105 "keys" true
    "calls" (concat (list "redis" "rollout-api" "reward-api" "judge-api") $hub) "own" $v.trainer.conductor) -}}
{{- $_ := set $found "learner" (dict "service" "trainer" "kind" "Learner" "keys" true
    "calls" (concat (list "redis" "rollout-api") (ternary (list "learner") list (gt (int $v.trainer.learner.nodes) 1)) $hub) "own" $v.trainer.learner) -}}

{{- range $name, $one := $found }}
{{- $own := $one.own | default dict -}}
{{- $c := mergeOverwrite (deepCopy $v.defaults) (deepCopy $own) -}}
{{- $service := index $v $one.service -}}
{{- $_ := set $c "config" (mergeOverwrite (deepCopy $service.config) (deepCopy $c.config)) -}}
{{- $_ := set $c "image" ($own.image | default $service.image) -}}
{{- $_ := set $one "values" $c -}}
{{- $_ := unset $one "own" -}}
{{- if not $c.enabled }}{{ $_ := unset $found $name }}{{ end -}}
{{- end }}
{{- toYaml $found -}}
{{- end -}}
