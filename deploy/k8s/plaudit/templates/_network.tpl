{{/* list $ NAME ALL: whoever calls it, and whoever scrapes it. */}}
{{- define "plaudit.ingress" -}}
{{- $root := first . -}}
{{- $name := index . 1 -}}
{{- $all := last . -}}
{{- $c := index $all $name -}}
{{- range $caller, $other := $all }}
{{- if has $name $other.calls }}
- from: [{podSelector: {matchLabels: {{ include "plaudit.selector" (list $root $caller) | fromYaml | toJson }}}}]
  {{- if ne $caller $name }}
  ports: [{protocol: TCP, port: {{ $c.port }}}]
  {{- end }}
{{- end }}
{{- end }}
{{- with $c.values.networkPolicy.ingressFrom }}
- from: {{ toJson . }}
  ports: [{protocol: TCP, port: {{ $c.port }}}]
{{- end }}
{{- if and $root.Values.networkPolicy.metricsFrom $c.args }}
- from: {{ toJson $root.Values.networkPolicy.metricsFrom }}
  ports: {{ include "plaudit.metricsPorts" $c }}
{{- end }}
{{- end -}}

{{- define "plaudit.metricsPorts" -}}
{{- if eq (default "" .kind) "Engine" -}}
[{protocol: TCP, port: 8201}, {protocol: TCP, port: 9100}, {protocol: TCP, port: 9101}]
{{- else -}}
[{protocol: TCP, port: {{ .port | default 9100 }}}]
{{- end -}}
{{- end -}}

{{/* list $ NAME ALL: whom it calls, and names to find them by. Who calls nobody gets not even those. */}}
{{- define "plaudit.egress" -}}
{{- $root := first . -}}
{{- $all := last . -}}
{{- $c := index $all (index . 1) -}}
{{- range $called := $c.calls }}
{{- with index $all $called }}
- to: [{podSelector: {matchLabels: {{ include "plaudit.selector" (list $root $called) | fromYaml | toJson }}}}]
  {{- if ne $called (index $ 1) }}
  ports: [{protocol: TCP, port: {{ .port }}}]
  {{- end }}
{{- end }}
{{- end }}
{{- if and (has "redis" $c.calls) (not $root.Values.redis.enabled) }}
- ports: [{protocol: TCP, port: {{ $root.Values.externalRedis.port }}}]
{{- end }}
{{- if has "internet" $c.calls }}
- to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fc00::/7", "fe80::/10"]}
  ports: [{protocol: TCP, port: 443}]
{{- end }}
{{- if and $root.Values.tracing.endpoint $c.service $c.calls }}
- ports: [{protocol: TCP, port: {{ $root.Values.tracing.port }}}]
  {{- with $root.Values.tracing.to }}
  to: {{ toJson . }}
  {{- end }}
{{- end }}
{{- if $c.calls }}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
  {{- with $root.Values.networkPolicy.dnsTo }}
  to: {{ toJson . }}
  {{- end }}
{{- end }}
{{- with $c.values.networkPolicy.egress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
