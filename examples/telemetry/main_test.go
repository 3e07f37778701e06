package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program prints spans of its operations and of their requests, and metrics.
func TestSpansAndMetricsArePrinted(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://telemetry-test", &buf))

	for _, line := range []string{
		"  storage.driver.Put [Unset]\n",
		"  storage.Upload [Unset] omnibucket.key=telemetry/a.txt omnibucket.bytes=5 omnibucket.requests=1\n",
		"  storage.driver.Get [Unset] error.type=object_not_found\n",
		"error.type=object_not_found\n",
		"  omnibucket.operation.duration: 1 omnibucket.operation=Remove\n",
		"  omnibucket.operation.bytes: 5 omnibucket.operation=Upload\n",
	} {
		require.Contains(t, buf.String(), line)
	}
	require.NotContains(t, buf.String(), "[Error]", "a missing object is no failure")
}

// The dashboard and the alerts use the names of the metrics that are reported, in the spelling of Prometheus.
func TestDashboardAndAlertsUseOurNames(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://telemetry-names", &buf))

	// The names in Prometheus are those of two attributes, a counter, and all that the program prints.
	labels := []string{"omnibucket_provider", "omnibucket_bucket", "omnibucket_buffer_limit_overgrants_total"}
	for _, name := range regexp.MustCompile(`omnibucket\.[a-z._]+`).FindAllString(buf.String(), -1) {
		name = strings.ReplaceAll(name, ".", "_")
		labels = append(labels, name, name+"_total", name+"_seconds_count", name+"_seconds_bucket")
	}

	// Both files use no other names.
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		text, err := os.ReadFile("../../docs/observability/" + file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`omnibucket_[a-z_]+`).FindAllString(string(text), -1) {
			require.Contains(t, labels, name, file)
		}
		if filepath.Ext(file) == ".json" {
			require.True(t, json.Valid(text))
		}
	}
}
