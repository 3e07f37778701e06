package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const changelog = `# Changelog

## [Unreleased]

### Added
- One thing.

## [0.2.0]

### Added
- Another thing.

## [0.1.0] - 2026-12-31

### Added
- The first thing.

## [0.0.1] - 2026-01-01
`

// entryOf returns the changelog's section of a version, or the first section for no version. It fails if the section
// is missing, empty or without a date.
func TestChangelogHasEachRelease(t *testing.T) {
	tests := []struct {
		version   string
		wantText  string
		wantError string
	}{
		{version: "", wantText: "### Added\n- One thing."},
		{version: "v0.1.0", wantText: "### Added\n- The first thing."},
		{version: "v0.2.0", wantError: "must have a date"},
		{version: "v0.0.1", wantError: "must have entries"},
		{version: "v0.3.0", wantError: "is missing"},
	}
	for _, tt := range tests {
		entry, err := entryOf(changelog, tt.version)
		if tt.wantError != "" {
			require.ErrorContains(t, err, tt.wantError, tt.version)
			continue
		}
		require.NoError(t, err, tt.version)
		require.Equal(t, tt.wantText, entry.text, tt.version)
	}

	// The first section must be that of the next version.
	_, err := entryOf("# Changelog\n\n## [0.1.0] - 2026-12-31\n- a\n", "")
	require.ErrorContains(t, err, "must be [Unreleased]")
}

// isPublished returns false for modules that nobody imports, such as tools. They get no tag.
func TestIsPublished(t *testing.T) {
	for dir, want := range map[string]bool{
		".":                       true,
		"cmd/omnibucket":          true,
		"adapters/afero":          true,
		"analyzers":               true,
		"tools":                   false,
		"tools/testservers/minio": false,
	} {
		require.Equal(t, want, isPublished(dir), dir)
	}
}

// released removes the replace directives of a module and requires the new version of the library.
func TestReleasedModuleReplacesNothing(t *testing.T) {
	text, err := released([]byte("module example.com/a\n\ngo 1.26.0\n\nrequire (\n\t"+library+" v0.0.0\n\texample.com/b v1.0.0\n)\n\nreplace "+library+" => ../..\n"), "v1.2.3")
	require.NoError(t, err)
	require.Equal(t, "module example.com/a\n\ngo 1.26.0\n\nrequire (\n\t"+library+" v1.2.3\n\texample.com/b v1.0.0\n)\n", string(text))
}

// withoutUpdates returns the modules that no entry of the configuration covers.
func TestWithoutUpdates(t *testing.T) {
	config := `
updates:
  - package-ecosystem: gomod
    directories: ["/", "/adapters/*"]
  - package-ecosystem: npm
    directories: ["/dev"]
`
	absent, err := withoutUpdates([]byte(config), []string{".", "adapters/afero", "tools"})
	require.NoError(t, err)
	require.Equal(t, []string{"tools"}, absent)
}

func TestSystems(t *testing.T) {
	require.Equal(t, []system{{"linux", "amd64"}, {"linux", "arm64"}}, systems([]string{"linux"}, []string{"amd64", "arm64"}))
}
