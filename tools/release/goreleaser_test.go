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

	// It builds the program of cmd/omnibucket.
	require.Len(t, project.Builds, 1)
	build := project.Builds[0]
	require.FileExists(t, filepath.Join("..", "..", strings.TrimPrefix(build.Main, library), "main.go"))
	require.Equal(t, "omnibucket", build.Binary)
	require.True(t, slices.Contains(build.Flags, "-trimpath"))

	// The container has the program of the release, which needs the same tags and flags.
	dockerfile, err := os.ReadFile("../../cmd/omnibucket/Dockerfile")
	require.NoError(t, err)
	tags := strings.Join(build.Tags, ",")
	flags := strings.ReplaceAll(build.Ldflags[0], "{{ .Tag }}", "$VERSION")
	require.Contains(t, string(dockerfile), "-tags "+tags+` -ldflags="`+flags+`"`)

	// The files of the archives exist, except for those in dist-man, which a hook makes before.
	require.Len(t, project.Archives, 1)
	files := project.Archives[0].Files
	for _, file := range files {
		if !strings.HasPrefix(file.Source, "dist-man/") {
			require.FileExists(t, filepath.Join("..", "..", file.Source))
		}
	}

	// A person publishes the release. Its archives have lists of modules, and its checksums are signed.
	require.True(t, project.Release.Draft)
	require.Len(t, project.SBOMs, 1)
	require.Len(t, project.Signs, 1)
	require.Equal(t, "checksum", project.Signs[0].Artifacts)

	// The cask of Homebrew installs the program and files of the archive. A person merges it after the release.
	require.Len(t, project.Casks, 1)
	cask := project.Casks[0]
	require.Equal(t, build.Binary, cask.Name)
	require.True(t, cask.Repository.PullRequest.Draft)
	manPages := files[2]
	require.Equal(t, "man", manPages.Destination)
	require.Equal(t, []string{"man/omnibucket.1"}, cask.Manpages)
	completions := files[3]
	require.Equal(t, "completions", completions.Destination)

	// macOS starts no program in quarantine without a signature of Apple.
	require.Contains(t, cask.Hooks.Post.Install, "com.apple.quarantine")

	// A package of Debian must have a maintainer.
	require.Len(t, project.NFPMs, 1)
	require.NotEmpty(t, project.NFPMs[0].Maintainer)
}
