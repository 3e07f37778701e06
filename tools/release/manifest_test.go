package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The YAML of Kubernetes in docs/cli.md is a valid indexed Job. The tests of the command line try its arguments.
func TestManualManifestIsAJob(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)

	manifests := regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindAllSubmatch(text, -1)
	require.Len(t, manifests, 1)
	manifest := manifests[0][1]
	var job batch.Job
	require.NoError(t, yaml.UnmarshalStrict(manifest, &job))
	require.Equal(t, "batch/v1", job.APIVersion)
	require.Equal(t, "Job", job.Kind)
	require.NotEmpty(t, job.Name)

	// https://kubernetes.io/docs/concepts/workloads/controllers/job/: backoffLimitPerIndex needs
	// an indexed Job whose pods do not restart by themselves.
	require.Equal(t, batch.IndexedCompletion, *job.Spec.CompletionMode)
	require.Equal(t, core.RestartPolicyNever, job.Spec.Template.Spec.RestartPolicy)
	require.Positive(t, *job.Spec.BackoffLimitPerIndex)
	require.LessOrEqual(t, *job.Spec.Parallelism, *job.Spec.Completions)

	// Kubernetes sets JOB_COMPLETION_INDEX, and replaces $(NAME) in arguments by a variable of the same
	// container.
	require.Len(t, job.Spec.Template.Spec.Containers, 1)
	container := job.Spec.Template.Spec.Containers[0]
	require.Contains(t, container.Args, fmt.Sprintf("--shard=auto/%d", *job.Spec.Completions), "every index has its part")
	for _, arg := range container.Args {
		for _, name := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(arg, -1) {
			require.True(t, slices.ContainsFunc(container.Env, func(v core.EnvVar) bool { return v.Name == name[1] }), arg)
		}
	}
	require.False(t, slices.ContainsFunc(container.Args, func(arg string) bool { return strings.ContainsAny(arg, " '\"") }), "no shell removes quotes")
}
