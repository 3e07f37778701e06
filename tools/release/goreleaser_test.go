package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/stretchr/testify/require"
)

// The configuration of GoReleaser has no unknown field, and its files exist. Otherwise GoReleaser would refuse it
// when a release is due.
func TestGoReleaserConfiguration(t *testing.T) {
	project, err := config.Load("../../.goreleaser.yaml")
	require.NoError(t, err)
	require.Equal(t, 2, project.Version)
	require.Len(t, project.Builds, 1)
	build := project.Builds[0]
	require.FileExists(t, filepath.Join("..", "..", strings.TrimPrefix(build.Main, library), "main.go"))
	require.Equal(t, "omnibucket", build.Binary)

	dockerfile, err := os.ReadFile("../../cmd/omnibucket/Dockerfile")
	require.NoError(t, err)
	flags := strings.ReplaceAll(build.Ldflags[0], "{{ .Tag }}", "$VERSION")
	require.Contains(t, string(dockerfile), "-tags "+strings.Join(build.Tags, ",")+` -ldflags="`+flags+`"`, "the container has the program of the release")
	require.True(t, slices.Contains(build.Flags, "-trimpath"))

	require.Len(t, project.Archives, 1)
	for _, file := range project.Archives[0].Files {
		if !strings.HasPrefix(file.Source, "dist-man/") {
			require.FileExists(t, filepath.Join("..", "..", file.Source))
		}
	}
	require.True(t, project.Release.Draft, "a person publishes it")
	require.Len(t, project.SBOMs, 1)
	require.Len(t, project.Signs, 1)
	require.Equal(t, "checksum", project.Signs[0].Artifacts)

	require.Len(t, project.Casks, 1)
	cask := project.Casks[0]
	require.Equal(t, build.Binary, cask.Name)
	require.True(t, cask.Repository.PullRequest.Draft, "a person merges it after the release")
	require.Equal(t, "man", project.Archives[0].Files[2].Destination)
	require.Equal(t, []string{"man/omnibucket.1"}, cask.Manpages)
	require.Equal(t, "completions", project.Archives[0].Files[3].Destination)
	require.Contains(t, cask.Hooks.Post.Install, "com.apple.quarantine", "macOS starts no program in quarantine without a signature of Apple")

	require.Len(t, project.NFPMs, 1)
	require.NotEmpty(t, project.NFPMs[0].Maintainer, "a package of Debian must have one")
}
