// Package helm_test checks the chart without a cluster: helm's linter, and what it renders, decoded
// strictly as Kubernetes' types. It is a module of its own, since helm brings some hundred others.
package helm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/gitbook-courier/courier/config"
)

const chart = "courier"

// minimal are the values that the README begins with, all turn everything on.
const (
	minimal = `
config:
  sources:
    - name: docs
      secrets: ["${file:/run/secrets/courier/gitbook-secret}"]
  destinations:
    - name: search-index
      url: https://search.example.com/hooks/gitbook
      secrets: ["${file:/run/secrets/courier/search-secret}"]
`
	all = minimal + `
image: {tag: "1.2.3", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
temporal:
  address: courier.a1b2c.tmprl.cloud:7233
  namespace: courier.a1b2c
  tls: {enabled: true, serverName: courier.a1b2c.tmprl.cloud, existingSecret: temporal-tls, ca: true}
  apiKey: {existingSecret: temporal-key}
starter: &program
  replicas: 3
  autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 20, targetCPUUtilizationPercentage: 60}
  podDisruptionBudget: {enabled: true, maxUnavailable: 50%}
  extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector:4318"}]
  podAnnotations: {example.com/a: b}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: a, operator: Exists}]
  affinity: {podAntiAffinity: {}}
worker: *program
service: {type: LoadBalancer, port: 8080, annotations: {a: b}}
ingress: {enabled: true, className: nginx, host: courier.example.com, tlsSecret: courier-tls, annotations: {a: b}}
serviceAccount: {annotations: {a: b}}
metrics:
  serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
  prometheusRule: {enabled: true, labels: {release: prometheus}}
  dashboard: {enabled: true}
`
)

// values decodes values as helm reads them.
func values(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := chartutil.ReadValues([]byte(text))
	require.NoError(t, err)
	return v
}

// render are the rendered documents with these values, by kind and name.
func render(t *testing.T, text string) map[string][]byte {
	t.Helper()
	c, err := loader.Load(chart)
	require.NoError(t, err)
	release := chartutil.ReleaseOptions{Name: "docs", Namespace: "web", IsInstall: true}
	merged, err := chartutil.ToRenderValues(c, values(t, text), release, chartutil.DefaultCapabilities)
	require.NoError(t, err)
	files, err := engine.Render(c, merged)
	require.NoError(t, err)
	documents := make(map[string][]byte)
	for name, content := range files {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for document := range strings.SplitSeq("\n"+content, "\n---") {
			var of struct {
				Kind     string
				Metadata struct{ Name string }
			}
			require.NoError(t, yaml.Unmarshal([]byte(document), &of), "%s:\n%s", name, document)
			if of.Kind != "" {
				documents[of.Kind+" "+of.Metadata.Name] = []byte(document)
			}
		}
	}
	return documents
}

// types are Kubernetes' types of the kinds that the chart has.
func types() map[string]func() any {
	return map[string]func() any{
		"Deployment":              func() any { return new(appsv1.Deployment) },
		"ConfigMap":               func() any { return new(corev1.ConfigMap) },
		"Service":                 func() any { return new(corev1.Service) },
		"ServiceAccount":          func() any { return new(corev1.ServiceAccount) },
		"PodDisruptionBudget":     func() any { return new(policyv1.PodDisruptionBudget) },
		"HorizontalPodAutoscaler": func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
		"Ingress":                 func() any { return new(networkingv1.Ingress) },
		"ServiceMonitor":          func() any { return new(monitoringv1.ServiceMonitor) },
		"PrometheusRule":          func() any { return new(monitoringv1.PrometheusRule) },
	}
}

// decode decodes a document strictly: a misspelled member is an error.
func decode[T any](t *testing.T, documents map[string][]byte, key string) *T {
	t.Helper()
	require.Contains(t, documents, key)
	value := new(T)
	require.NoError(t, yaml.UnmarshalStrict(documents[key], value), "%s:\n%s", key, documents[key])
	return value
}

func TestLint(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"defaults": "", "minimal": minimal, "all": all} {
		found := lint.All(chart, values(t, text), "web", true)
		for _, message := range found.Messages {
			require.Less(t, message.Severity, support.WarningSev, "%s: %v", name, message)
		}
	}
}

func TestRenderedDocumentsAreKubernetesTypes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values string
		want   []string
	}{
		"defaults": {"", []string{
			"ConfigMap docs-courier", "Deployment docs-courier-starter", "Deployment docs-courier-worker", "PodDisruptionBudget docs-courier-starter",
			"PodDisruptionBudget docs-courier-worker", "Service docs-courier", "Service docs-courier-metrics", "ServiceAccount docs-courier",
		}},
		"all": {all, []string{
			"ConfigMap docs-courier", "ConfigMap docs-courier-dashboard", "Deployment docs-courier-starter", "Deployment docs-courier-worker",
			"HorizontalPodAutoscaler docs-courier-starter", "HorizontalPodAutoscaler docs-courier-worker", "Ingress docs-courier",
			"PodDisruptionBudget docs-courier-starter", "PodDisruptionBudget docs-courier-worker", "PrometheusRule docs-courier",
			"Service docs-courier", "Service docs-courier-metrics", "ServiceAccount docs-courier", "ServiceMonitor docs-courier",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents := render(t, tt.values)
			var keys []string
			for key, document := range documents {
				keys = append(keys, key)
				kind, _, _ := strings.Cut(key, " ")
				require.Contains(t, types(), kind)
				require.NoError(t, yaml.UnmarshalStrict(document, types()[kind]()), "%s:\n%s", key, document)
			}
			slices.Sort(keys)
			require.Equal(t, tt.want, keys)
		})
	}
}

// A pod is not root, cannot write, gets 60 seconds, and is asked whether it is well.
func TestPods(t *testing.T) {
	t.Parallel()
	documents := render(t, all)
	for _, component := range []string{"starter", "worker"} {
		deployment := decode[appsv1.Deployment](t, documents, "Deployment docs-courier-"+component)
		require.Nil(t, deployment.Spec.Replicas, "the autoscaler's")
		pod := deployment.Spec.Template.Spec
		container := pod.Containers[0]
		require.Equal(t, "courier-"+component+":1.2.3", container.Image)
		require.EqualValues(t, 60, *pod.TerminationGracePeriodSeconds)
		require.True(t, *pod.SecurityContext.RunAsNonRoot)
		require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
		require.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
		require.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
		require.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
		env := make(map[string]string)
		for _, variable := range container.Env {
			env[variable.Name] = variable.Value
		}
		require.Equal(t, "courier.a1b2c.tmprl.cloud:7233", env["TEMPORAL_ADDRESS"])
		require.Equal(t, "/run/secrets/temporal/ca.crt", env["TEMPORAL_TLS_SERVER_CA_CERT_PATH"])
		require.Contains(t, env, "TEMPORAL_API_KEY")
		require.Equal(t, "http://collector:4318", env["OTEL_EXPORTER_OTLP_ENDPOINT"])
		require.Equal(t, component == "starter", env["COURIER_LISTEN"] == "0.0.0.0:8080")
		budget := decode[policyv1.PodDisruptionBudget](t, documents, "PodDisruptionBudget docs-courier-"+component)
		require.Equal(t, deployment.Spec.Selector.MatchLabels, budget.Spec.Selector.MatchLabels)
		for name, value := range deployment.Spec.Selector.MatchLabels {
			require.Equal(t, value, deployment.Spec.Template.Labels[name])
		}
	}
	monitor := decode[monitoringv1.ServiceMonitor](t, documents, "ServiceMonitor docs-courier")
	service := decode[corev1.Service](t, documents, "Service docs-courier-metrics")
	for name, value := range monitor.Spec.Selector.MatchLabels {
		require.Equal(t, value, service.Labels[name])
	}
	require.Equal(t, "courier", service.Labels[monitor.Spec.JobLabel], "the alerts' job")
	rule := decode[monitoringv1.PrometheusRule](t, documents, "PrometheusRule docs-courier")
	require.NotEmpty(t, rule.Spec.Groups[0].Rules)
	dashboard := decode[corev1.ConfigMap](t, documents, "ConfigMap docs-courier-dashboard")
	require.Contains(t, dashboard.Data["courier.json"], `"panels"`)
}

// The programs load the rendered courier.yaml, with the Secret's entries as files.
func TestRenderedConfigurationLoads(t *testing.T) {
	t.Parallel()
	secrets := t.TempDir()
	for name, value := range map[string]string{
		"token": "a-token-for-the-tests-of-the-chart", "sealing-key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "gitbook-secret": "one", "search-secret": "two\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(secrets, name), []byte(value), 0o600))
	}
	for name, text := range map[string]string{"defaults": "", "minimal": minimal} {
		rendered := decode[corev1.ConfigMap](t, render(t, text), "ConfigMap docs-courier").Data["courier.yaml"]
		c, err := config.Parse([]byte(strings.ReplaceAll(rendered, "/run/secrets/courier", secrets)), "courier.yaml", config.Options{Listen: "0.0.0.0:8080", AdminListen: "0.0.0.0:9464"})
		require.NoError(t, err, "%s:\n%s", name, rendered)
		require.Equal(t, "json", c.LogFormat)
		require.Len(t, c.Destinations, map[string]int{"defaults": 0, "minimal": 1}[name])
	}
}

// What the chart cannot do is refused with the value's name.
func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	c, err := loader.Load(chart)
	require.NoError(t, err)
	for _, text := range []string{
		"starters: {}", "starter: {replica: 2}", "config: {listen: '127.0.0.1:1'}", "config: {worker: embedded}", "temporal: {address: temporal}",
		"secrets: {existing: ''}", "service: {port: 0}", "starter: {replicas: two}",
	} {
		_, err := chartutil.ToRenderValues(c, values(t, text), chartutil.ReleaseOptions{Name: "docs"}, chartutil.DefaultCapabilities)
		require.Error(t, err, text)
		require.Contains(t, fmt.Sprint(err), strings.TrimSpace(strings.SplitN(text, ":", 2)[0])[:6], text)
	}
}
