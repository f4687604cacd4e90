{{- define "courier.name" -}}
{{- .Values.nameOverride | default (ternary .Release.Name (printf "%s-courier" .Release.Name) (contains "courier" .Release.Name)) | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "courier.selector" -}}
app.kubernetes.io/name: courier
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "courier.labels" -}}
{{ include "courier.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* A Deployment of the starter or the worker. Of a dict: root, component, program, image, ports. */}}
{{- define "courier.deployment" -}}
{{- $root := .root -}}
{{- $tls := $root.Values.temporal.tls -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "courier.name" $root }}-{{ .component }}
  labels:
    {{- include "courier.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if not .program.autoscaling.enabled }}
  replicas: {{ .program.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "courier.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      labels:
        {{- include "courier.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
      {{- with .program.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "courier.name" $root }}
      automountServiceAccountToken: false
      # Longer than the programs' own budget for finishing what is under way.
      terminationGracePeriodSeconds: 60
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        runAsGroup: 65534
        fsGroup: 65534
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .component }}
          image: {{ printf "%s:%s" .image ($root.Values.image.tag | default $root.Chart.AppVersion) | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          env:
            - {name: COURIER_CONFIG, value: /etc/courier/courier.yaml}
            {{- if eq .component "starter" }}
            - {name: COURIER_LISTEN, value: "0.0.0.0:8080"}
            {{- end }}
            - {name: COURIER_ADMIN_LISTEN, value: "0.0.0.0:9464"}
            - {name: TEMPORAL_ADDRESS, value: {{ $root.Values.temporal.address | quote }}}
            - {name: TEMPORAL_NAMESPACE, value: {{ $root.Values.temporal.namespace | quote }}}
            {{- if $tls.enabled }}
            - {name: TEMPORAL_TLS, value: "true"}
            {{- with $tls.serverName }}
            - {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
            {{- end }}
            {{- if $tls.existingSecret }}
            - {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/secrets/temporal/tls.crt}
            - {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/secrets/temporal/tls.key}
            {{- if $tls.ca }}
            - {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /run/secrets/temporal/ca.crt}
            {{- end }}
            {{- end }}
            {{- end }}
            {{- with $root.Values.temporal.apiKey.existingSecret }}
            - name: TEMPORAL_API_KEY
              valueFrom:
                secretKeyRef: {name: {{ . }}, key: {{ $root.Values.temporal.apiKey.key }}}
            {{- end }}
            {{- with .program.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- if eq .component "starter" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: metrics, containerPort: 9464}
          startupProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 1
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /healthz, port: metrics}
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {path: /readyz, port: metrics}
            timeoutSeconds: 10
          resources: {{- toYaml .program.resources | nindent 12 }}
          volumeMounts:
            # Folders, not single files: only these follow a change.
            - {name: config, mountPath: /etc/courier, readOnly: true}
            - {name: secrets, mountPath: /run/secrets/courier, readOnly: true}
            {{- if and $tls.enabled $tls.existingSecret }}
            - {name: temporal, mountPath: /run/secrets/temporal, readOnly: true}
            {{- end }}
      volumes:
        - name: config
          configMap: {name: {{ include "courier.name" $root }}}
        - name: secrets
          secret: {secretName: {{ $root.Values.secrets.existing }}, defaultMode: 0440}
        {{- if and $tls.enabled $tls.existingSecret }}
        - name: temporal
          secret: {secretName: {{ $tls.existingSecret }}, defaultMode: 0440}
        {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "courier.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .component }}
      {{- with .program.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .program.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .program.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* The budget and the autoscaler of a Deployment, of the same dict. */}}
{{- define "courier.scaling" -}}
{{- $root := .root -}}
{{- with .program.podDisruptionBudget }}
{{- if .enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "courier.name" $root }}-{{ $.component }}
  labels:
    {{- include "courier.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $.component }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  selector:
    matchLabels:
      {{- include "courier.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end }}
{{- with .program.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "courier.name" $root }}-{{ $.component }}
  labels:
    {{- include "courier.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $.component }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "courier.name" $root }}-{{ $.component }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .targetCPUUtilizationPercentage }}}
{{- end }}
{{- end }}
{{- end -}}
