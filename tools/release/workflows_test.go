package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each workflow names its actions by a commit, because somebody could move a tag.
func TestWorkflowsUseActionsByCommit(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if _, action, ok := strings.Cut(line, "uses: "); ok {
				require.Regexp(t, pinned, strings.TrimSpace(action), file)
			}
		}
	}
}

// Each Dockerfile names its base image by a digest, because somebody could move a tag.
func TestImagesAreBuiltOnADigest(t *testing.T) {
	base := regexp.MustCompile(`(?m)^FROM .*$`)
	pinned := regexp.MustCompile(`^FROM (scratch|(--platform=\S+ )?\S+:[\d.]+@sha256:[0-9a-f]{64})( AS \w+)?$`)

	files, err := exec.Command("git", "-C", "../..", "ls-files", "Dockerfile", "*/Dockerfile").Output()
	require.NoError(t, err)
	require.NotEmpty(t, files)

	for name := range strings.FieldsSeq(string(files)) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		lines := base.FindAllString(string(text), -1)
		require.NotEmpty(t, lines, name)
		for _, line := range lines {
			require.Regexp(t, pinned, line, name)
		}
	}
}

// The workflow of a release signs what it publishes, lists its modules, and checks it. Two others check regularly that
// a release is possible and that no dependency has a known vulnerability.
func TestWorkflowsSignAndCheckWhatIsReleased(t *testing.T) {
	tests := []struct {
		file      string
		wantLines []string // parts of lines
	}{
		{
			file: "release.yml",
			wantLines: []string{
				// The identity that signs.
				"id-token: write",
				// Programs that .goreleaser.yaml needs.
				"sigstore/cosign-installer@",
				"anchore/sbom-action/download-syft@",
				// The list of modules and the signature of the container.
				"sbom: true",
				`cosign sign --yes "$IMAGE@$DIGEST"`,
				// Notes that are not made of commits.
				`-notes "$RUNNER_TEMP/notes.md"`,
				"--release-notes=${{ runner.temp }}/notes.md",
				// The checks of the files, and the attestations.
				"run '^TestSnapshot'",
				"ruby tools/release/cask.rb dist",
				"subject-checksums: dist/checksums.txt",
				"subject-digest: ${{ steps.image.outputs.digest }}",
			},
		},
		{file: "race.yml", wantLines: []string{"schedule:", "make snapshot", "make install-check"}},
		{file: "vulnerabilities.yml", wantLines: []string{"schedule:", "make vulnerabilities"}},
	}
	for _, tt := range tests {
		text, err := os.ReadFile(filepath.Join("../../.github/workflows", tt.file))
		require.NoError(t, err)
		for _, line := range tt.wantLines {
			require.Contains(t, string(text), line, tt.file)
		}
	}
}
