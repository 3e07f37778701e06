package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// An instruction is one statement of the Dockerfile, such as "FROM scratch".
type instruction struct {
	name string
	args string
}

// instructions returns the instructions of the Dockerfile, without comments, each in one line.
func instructions(t *testing.T) (all []instruction) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)

	joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), "")
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		all = append(all, instruction{name: name, args: args})
	}
	return all
}

// lastInstruction returns the arguments of the last instruction that has the given name.
func lastInstruction(t *testing.T, name string) (args string) {
	t.Helper()
	for _, i := range instructions(t) {
		if i.name == name {
			args = i.args
		}
	}
	require.NotEmpty(t, args, name)
	return args
}

// parseWords parses the arguments of an instruction. They must be a JSON list, because the image has no shell that
// splits a command.
func parseWords(t *testing.T, list string) (words []string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(list), &words), list)
	return words
}

// The Dockerfile builds the program in a base image, which is pinned by its digest. The container
// image itself is built from scratch.
func TestImageHasPinnedBase(t *testing.T) {
	var bases []string
	for _, i := range instructions(t) {
		if i.name == "FROM" {
			bases = append(bases, i.args)
		}
	}
	require.Len(t, bases, 2)
	require.Regexp(t, `^--platform=\$BUILDPLATFORM golang:\d+\.\d+\.\d+@sha256:[0-9a-f]{64} AS build$`,
		bases[0])
	require.Equal(t, "scratch", bases[1])
}

// The container image does not run as root. Its user owns the directories /data and /tmp.
func TestImageRunsAsNobody(t *testing.T) {
	user := lastInstruction(t, "USER")
	require.Regexp(t, `^[1-9]\d+:[1-9]\d+$`, user, "Kubernetes cannot check a name")

	for _, i := range instructions(t) {
		if i.name != "COPY" {
			continue
		}
		if strings.HasSuffix(i.args, " /data") || strings.HasSuffix(i.args, " /tmp") {
			require.Contains(t, i.args, "--chown="+user)
		}
	}
}

// The container image starts the program on port 9000, checks its health there, and links the names sh, curl, mc
// and minio to it.
func TestImageArguments(t *testing.T) {
	entrypoint := parseWords(t, lastInstruction(t, "ENTRYPOINT"))
	require.Equal(t, []string{"/s3server", "--listen", ":9000"}, entrypoint)
	require.Contains(t, strings.Fields(lastInstruction(t, "EXPOSE")), "9000")

	_, command, ok := strings.Cut(lastInstruction(t, "HEALTHCHECK"), "CMD ")
	require.True(t, ok)
	require.Equal(t, []string{"/s3server", "--health", "http://127.0.0.1:9000"}, parseWords(t, command))

	run := lastInstruction(t, "RUN")
	for _, name := range []string{"bin/sh", "usr/bin/curl", "usr/bin/mc", "usr/bin/minio"} {
		require.Contains(t, run, "ln -s /s3server /names/"+name)
	}
}

// The Dockerfile builds the program with its argument VERSION as the release.
func TestImageVersion(t *testing.T) {
	require.Contains(t, instructions(t), instruction{name: "ARG", args: "VERSION="})

	for _, i := range instructions(t) {
		if strings.Contains(i.args, "go build") {
			require.Contains(t, i.args, `-ldflags="-s -w -X main.release=$VERSION"`)
			return
		}
	}
	t.Fatal("no instruction builds the program")
}

// A workflow is what TestImageIsBuiltByRelease reads of a GitHub workflow.
type workflow struct {
	Jobs map[string]struct {
		Env      map[string]string
		Strategy struct {
			Matrix struct {
				Include []struct{ Name, File string }
			}
		}
		Steps []struct {
			Uses string
			With map[string]any
		}
	}
}

// The release workflow builds a container image from each Dockerfile, and pushes it.
func TestImageIsBuiltByRelease(t *testing.T) {
	text, err := os.ReadFile("../../../.github/workflows/release.yml")
	require.NoError(t, err)
	var release workflow
	require.NoError(t, yaml.Unmarshal(text, &release))
	job := release.Jobs["container"]

	// The job runs once for each image.
	require.Equal(t, "ghcr.io/${{ github.repository_owner }}/${{ matrix.name }}", job.Env["IMAGE"])

	dockerfiles := map[string]string{}
	for _, image := range job.Strategy.Matrix.Include {
		dockerfiles[image.Name] = image.File
	}
	want := map[string]string{
		"s3server":                     "s3server/Dockerfile",
		"omnibucket":                   "cmd/omnibucket/Dockerfile",
		"velero-plugin-for-omnibucket": "plugins/velero/Dockerfile",
	}
	require.Equal(t, want, dockerfiles)

	// One of the steps of the job builds and pushes the image.
	for _, step := range job.Steps {
		if strings.HasPrefix(step.Uses, "docker/build-push-action@") {
			require.Equal(t, ".", step.With["context"])
			require.Equal(t, "${{ matrix.file }}", step.With["file"])
			require.Equal(t, "VERSION=${{ github.ref_name }}", step.With["build-args"])
			require.Equal(t, true, step.With["push"])
			return
		}
	}
	t.Fatal("no step builds the images")
}
