{{- define "farlog.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "farlog.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "farlog.labels" -}}
{{ include "farlog.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "farlog.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "farlog.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "farlog.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Aliases in use, each with its description. */ -}}
{{- define "farlog.aliases" -}}
{{- $aliases := prepend .Values.destinations .Values.source -}}
{{- range $aliases -}}
{{- if not (hasKey $.Values.clusters .) }}{{ fail (printf "clusters.%s is missing: describe the cluster that source or destinations names" .) }}{{ end -}}
{{- end -}}
{{- toJson $aliases -}}
{{- end }}

{{- /* What an alias is called in a variable's name. */ -}}
{{- define "farlog.prefix" -}}
FARLOG_{{ . | upper | replace "-" "_" | replace "." "_" }}
{{- end }}

{{- /*
Files to be mounted: path below /etc/farlog → Secret and key. A folder for each cluster, so that two Secrets with equal keys
don't meet. The environment below names the same paths.
*/ -}}
{{- define "farlog.files" -}}
{{- $files := dict -}}
{{- range $alias := include "farlog.aliases" . | fromJsonArray -}}
{{- $cluster := get $.Values.clusters $alias -}}
{{- with $cluster.tls -}}
{{- with .caSecret }}{{ $_ := set $files (printf "%s/ca.crt" $alias) (dict "name" .name "key" (.key | default "ca.crt")) }}{{ end -}}
{{- with .certificateSecret -}}
{{- $_ := set $files (printf "%s/tls.crt" $alias) (dict "name" .name "key" (.certKey | default "tls.crt")) -}}
{{- $_ := set $files (printf "%s/tls.key" $alias) (dict "name" .name "key" (.keyKey | default "tls.key")) -}}
{{- end -}}
{{- with .keyPassphraseSecret }}{{ $_ := set $files (printf "%s/key-passphrase" $alias) (dict "name" .name "key" (.key | default "passphrase")) }}{{ end -}}
{{- end -}}
{{- with $cluster.sasl -}}
{{- with .credentialsSecret -}}
{{- $_ := set $files (printf "%s/username" $alias) (dict "name" .name "key" (.usernameKey | default "username")) -}}
{{- $_ := set $files (printf "%s/password" $alias) (dict "name" .name "key" (.passwordKey | default "password")) -}}
{{- end -}}
{{- with .oauth -}}
{{- $_ := set $files (printf "%s/client-id" $alias) (dict "name" .clientSecret.name "key" (.clientSecret.idKey | default "client-id")) -}}
{{- $_ := set $files (printf "%s/client-secret" $alias) (dict "name" .clientSecret.name "key" (.clientSecret.secretKey | default "client-secret")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $variable, $secret := .Values.secretSettings -}}
{{- $_ := set $files (printf "settings/%s" $variable) (dict "name" $secret.name "key" $secret.key) -}}
{{- end -}}
{{- toJson $files -}}
{{- end }}

{{- /* What the HTTP port speaks. */ -}}
{{- define "farlog.scheme" -}}
{{- hasKey .Values.secretSettings "FARLOG_HTTP_TLS_CERT" | ternary "HTTPS" "HTTP" -}}
{{- end }}

{{- define "farlog.env" -}}
- name: FARLOG_SOURCE
  value: {{ .Values.source | quote }}
- name: FARLOG_DESTINATIONS
  value: {{ join "," .Values.destinations | quote }}
{{- range $alias := include "farlog.aliases" . | fromJsonArray }}
{{- $cluster := get $.Values.clusters $alias }}
{{- $prefix := include "farlog.prefix" $alias }}
{{- $folder := printf "/etc/farlog/%s" $alias }}
- name: {{ $prefix }}_BOOTSTRAP_SERVERS
  value: {{ join "," $cluster.bootstrapServers | quote }}
- name: {{ $prefix }}_SECURITY_PROTOCOL
  value: {{ $cluster.securityProtocol | default "PLAINTEXT" }}
{{- with $cluster.tls }}
{{- if .caSecret }}
- name: {{ $prefix }}_SSL_CA_FILE
  value: {{ $folder }}/ca.crt
{{- end }}
{{- if .certificateSecret }}
- name: {{ $prefix }}_SSL_CERT_FILE
  value: {{ $folder }}/tls.crt
- name: {{ $prefix }}_SSL_KEY_FILE
  value: {{ $folder }}/tls.key
{{- end }}
{{- if .keyPassphraseSecret }}
- name: {{ $prefix }}_SSL_KEY_PASSPHRASE_FILE
  value: {{ $folder }}/key-passphrase
{{- end }}
{{- end }}
{{- with $cluster.sasl }}
- name: {{ $prefix }}_SASL_MECHANISM
  value: {{ .mechanism }}
{{- if .credentialsSecret }}
- name: {{ $prefix }}_SASL_USERNAME_FILE
  value: {{ $folder }}/username
- name: {{ $prefix }}_SASL_PASSWORD_FILE
  value: {{ $folder }}/password
{{- end }}
{{- with .oauth }}
- name: {{ $prefix }}_OAUTH_TOKEN_ENDPOINT
  value: {{ .tokenEndpoint | quote }}
- name: {{ $prefix }}_OAUTH_CLIENT_ID_FILE
  value: {{ $folder }}/client-id
- name: {{ $prefix }}_OAUTH_CLIENT_SECRET_FILE
  value: {{ $folder }}/client-secret
{{- with .scope }}
- name: {{ $prefix }}_OAUTH_SCOPE
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
- name: FARLOG_HTTP_PORT
  value: {{ .Values.port | quote }}
{{- if ne (.Values.settings.FARLOG_GROUP_PROTOCOL | default "classic") "consumer" }}
# The pod's name is the same after a restart: a worker that crashed and is back within 10 s goes on with its partitions.
- name: FARLOG_GROUP_INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- range $name, $_ := .Values.secretSettings }}
- name: {{ $name }}_FILE
  value: /etc/farlog/settings/{{ $name }}
{{- end }}
{{- end }}

{{- /* The ports of all brokers and token endpoints, as far as they are known. */ -}}
{{- define "farlog.egressPorts" -}}
{{- $ports := dict -}}
{{- range $alias := include "farlog.aliases" . | fromJsonArray -}}
{{- $cluster := get $.Values.clusters $alias -}}
{{- range $cluster.bootstrapServers }}{{ $_ := set $ports (regexFind "[0-9]+$" .) true }}{{ end -}}
{{- with $cluster.sasl -}}{{- with .oauth -}}
{{- $url := urlParse .tokenEndpoint -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) -}}
{{- $_ := set $ports ($port | default (eq $url.scheme "https" | ternary "443" "80")) true -}}
{{- end -}}{{- end -}}
{{- end -}}
{{- range .Values.networkPolicy.extraEgressPorts }}{{ $_ := set $ports (toString .) true }}{{ end -}}
{{- keys $ports | sortAlpha | toJson -}}
{{- end }}
