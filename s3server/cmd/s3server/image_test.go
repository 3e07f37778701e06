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

// instructions returns the instructions of the Dockerfile, without comments, each in one line.
func instructions(t *testing.T) (all [][2]string) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), "")
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			name, rest, _ := strings.Cut(line, " ")
			all = append(all, [2]string{name, rest})
		}
	}
	return all
}

// last returns the arguments of the last instruction with a name.
func last(t *testing.T, name string) (arguments string) {
	t.Helper()
	for _, i := range instructions(t) {
		if i[0] == name {
			arguments = i[1]
		}
	}
	require.NotEmpty(t, arguments, name)
	return arguments
}

func parseWords(t *testing.T, list string) (all []string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(list), &all), "a list, because the image has no shell: %s", list)
	return all
}

// The Dockerfile builds the program in a base image that is pinned by its digest. The container image itself
// starts from scratch.
func TestImageHasPinnedBase(t *testing.T) {
	var bases []string
	for _, i := range instructions(t) {
		if i[0] == "FROM" {
			bases = append(bases, i[1])
		}
	}
	require.Len(t, bases, 2)
	require.Regexp(t, `^--platform=\$BUILDPLATFORM golang:\d+\.\d+\.\d+@sha256:[0-9a-f]{64} AS build$`,
		bases[0])
	require.Equal(t, "scratch", bases[1])
}

// The container image does not run as root.
func TestImageRunsAsNobody(t *testing.T) {
	require.Regexp(t, `^[1-9]\d+:[1-9]\d+$`, last(t, "USER"), "a number, which Kubernetes can check")
	for _, i := range instructions(t) {
		if i[0] == "COPY" && (strings.HasSuffix(i[1], " /data") || strings.HasSuffix(i[1], " /tmp")) {
			require.Contains(t, i[1], "--chown="+last(t, "USER"), "the user can write there")
		}
	}
}

// The container image starts the program on port 9000, checks its health there, and links the names sh, curl, mc
// and minio to it.
func TestImageArguments(t *testing.T) {
	entry := parseWords(t, last(t, "ENTRYPOINT"))
	require.Equal(t, []string{"/s3server", "--listen", ":9000"}, entry)
	require.Contains(t, strings.Fields(last(t, "EXPOSE")), "9000")

	_, command, ok := strings.Cut(last(t, "HEALTHCHECK"), "CMD ")
	require.True(t, ok)
	require.Equal(t, []string{"/s3server", "--health", "http://127.0.0.1:9000"}, parseWords(t, command))

	run := last(t, "RUN")
	for _, name := range []string{"bin/sh", "usr/bin/curl", "usr/bin/mc", "usr/bin/minio"} {
		require.Contains(t, run, "ln -s /s3server /names/"+name)
	}
}

// The Dockerfile declares the argument VERSION, and builds the program with it as its release.
func TestImageVersion(t *testing.T) {
	require.Contains(t, instructions(t), [2]string{"ARG", "VERSION="})
	for _, i := range instructions(t) {
		if strings.Contains(i[1], "go build") {
			require.Contains(t, i[1], `-ldflags="-s -w -X main.release=$VERSION"`)
			return
		}
	}
	t.Fatal("no instruction builds the program")
}

// A step is one of a workflow.
type step struct {
	Uses string
	With map[string]any
}

// The release workflow builds the container images.
func TestImageIsBuiltByRelease(t *testing.T) {
	text, err := os.ReadFile("../../../.github/workflows/release.yml")
	require.NoError(t, err)
	var workflow struct {
		Jobs map[string]struct {
			Env      map[string]string
			Strategy struct {
				Matrix struct{ Include []struct{ Name, File string } }
			}
			Steps []step
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &workflow))

	job := workflow.Jobs["container"]
	require.Equal(t, "ghcr.io/${{ github.repository_owner }}/${{ matrix.name }}", job.Env["IMAGE"])
	files := map[string]string{}
	for _, image := range job.Strategy.Matrix.Include {
		files[image.Name] = image.File
	}

	want := map[string]string{
		"s3server":                     "s3server/Dockerfile",
		"omnibucket":                   "cmd/omnibucket/Dockerfile",
		"velero-plugin-for-omnibucket": "plugins/velero/Dockerfile",
	}
	require.Equal(t, want, files)
	for _, s := range job.Steps {
		if strings.HasPrefix(s.Uses, "docker/build-push-action@") {
			require.Equal(t, ".", s.With["context"])
			require.Equal(t, "${{ matrix.file }}", s.With["file"])
			require.Equal(t, "VERSION=${{ github.ref_name }}", s.With["build-args"],
				"of the program that says its version")
			require.Equal(t, true, s.With["push"])
			return
		}
	}
	t.Fatal("no step builds the images")
}
