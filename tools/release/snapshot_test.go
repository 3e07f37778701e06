package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A snapshot is what goreleaser has made for a release.
type snapshot struct {
	dir, version string            // the version without its v
	sums         map[string]string // of each file of the release but checksums.txt, by its name
}

func snapshotIn(t *testing.T, variable string) *snapshot {
	t.Helper()
	s := &snapshot{dir: os.Getenv(variable), sums: map[string]string{}}
	if s.dir == "" {
		t.Skip(variable + " is not set: make snapshot makes what a release has")
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "metadata.json"))
	require.NoError(t, err)
	var metadata struct{ Version string }
	require.NoError(t, json.Unmarshal(text, &metadata))
	s.version = metadata.Version
	sums, err := os.ReadFile(filepath.Join(s.dir, "checksums.txt"))
	require.NoError(t, err)
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		s.sums[name] = sum
	}
	return s
}

var releasedSystems = systems([]string{"linux", "darwin", "windows", "freebsd"}, []string{"amd64", "arm64"})

// archive returns the name of a system's archive.
func (s *snapshot) archive(sys system) string {
	name := "omnibucket_" + s.version + "_" + sys.os + "_" + sys.arch
	if sys.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// The snapshot has an archive and a list of modules for each released system, and packages for Linux. The checksum of
// each file is in checksums.txt.
func TestSnapshotHasEachFileWithItsChecksum(t *testing.T) {
	s := snapshotIn(t, "OMNIBUCKET_SNAPSHOT")
	var want []string
	for _, sys := range releasedSystems {
		want = append(want, s.archive(sys), s.archive(sys)+".sbom.json")
		if sys.os == "linux" {
			for _, format := range []string{"deb", "rpm", "apk"} {
				want = append(want, strings.TrimSuffix(s.archive(sys), "tar.gz")+format)
			}
		}
	}

	require.ElementsMatch(t, want, slices.Collect(maps.Keys(s.sums)))
	for name, sum := range s.sums {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		require.NoError(t, err)
		digest := sha256.Sum256(data)
		require.Equal(t, sum, hex.EncodeToString(digest[:]), name)
	}
}

// Two builds of one commit have archives with the same checksums.
func TestSnapshotIsTheSameInASecondBuild(t *testing.T) {
	s := snapshotIn(t, "OMNIBUCKET_SNAPSHOT")
	first := snapshotIn(t, "OMNIBUCKET_SNAPSHOT_FIRST")
	require.NotEmpty(t, first.sums)
	for name, sum := range first.sums {
		require.Equal(t, sum, s.sums[name], name)
	}
}

// Each released system has an archive with the program, which users can execute, and with its license, documentation
// and completions. Beside the archive is a list of the modules of the program.
func TestSnapshotHasArchivesWithAllFiles(t *testing.T) {
	s := snapshotIn(t, "OMNIBUCKET_SNAPSHOT")
	for _, sys := range releasedSystems {
		archive := s.archive(sys)
		files := filesOf(t, filepath.Join(s.dir, archive))
		for _, file := range []string{
			"LICENSE", "docs/cli.md", "man/omnibucket.1", "man/omnibucket-cp.1",
			"completions/omnibucket.bash", "completions/_omnibucket", "completions/omnibucket.fish", "completions/omnibucket.ps1",
		} {
			require.NotEmpty(t, files[file].data, "%s: %s", archive, file)
		}

		program := "omnibucket"
		if sys.os == "windows" {
			program += ".exe"
		}
		require.Equal(t, fs.FileMode(0o755), files[program].mode.Perm(), archive)
		s.checkProgram(t, sys, files[program].data)
		s.checkModules(t, archive+".sbom.json")
	}
}

// checkProgram checks what a program says of itself and, if it is one of this system, that it starts.
func (s *snapshot) checkProgram(t *testing.T, sys system, program []byte) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	require.NoError(t, err)

	count := 0
	require.Equal(t, library+"/cmd/omnibucket", info.Main.Path)
	for _, module := range append(info.Deps, &info.Main) {
		if strings.HasPrefix(module.Path, library) {
			require.Equal(t, "v"+s.version, module.Version, module.Path)
			require.NotEmpty(t, module.Sum, module.Path)
			require.Nil(t, module.Replace, module.Path)
			count++
		}
	}
	require.Equal(t, 3, count, "the library, layers/encrypt and cmd/omnibucket")

	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	require.Equal(t, sys, system{settings["GOOS"], settings["GOARCH"]})
	require.Equal(t, "0", settings["CGO_ENABLED"])

	if sys != (system{runtime.GOOS, runtime.GOARCH}) {
		return
	}
	path := filepath.Join(t.TempDir(), "omnibucket")
	require.NoError(t, os.WriteFile(path, program, 0o700))
	printed, err := exec.CommandContext(t.Context(), path, "--version").Output()
	require.NoError(t, err)
	require.Equal(t, "omnibucket v"+s.version+" "+info.GoVersion+"\n", string(printed))
}

// checkModules checks the list of the modules in an archive.
func (s *snapshot) checkModules(t *testing.T, name string) {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(t, err)

	var list struct {
		SPDXVersion string
		Packages    []struct{ Name, VersionInfo string }
	}
	require.NoError(t, json.Unmarshal(text, &list))
	require.Equal(t, "SPDX-2.3", list.SPDXVersion)

	versions := map[string]string{}
	for _, p := range list.Packages {
		versions[p.Name] = p.VersionInfo
	}

	for _, module := range []string{library, library + "/layers/encrypt", library + "/cmd/omnibucket"} {
		require.Equal(t, "v"+s.version, versions[module], "%s: %s", name, module)
	}
	require.Equal(t, s.version, versions["omnibucket"], "the archive itself")

	for _, module := range []string{"stdlib", "github.com/spf13/cobra", "cloud.google.com/go/storage"} {
		require.NotEmpty(t, versions[module], "%s: %s", name, module)
	}
}

// The package for Debian names its section and its homepage. It installs the program, a manual page, the license and
// the completions of three shells.
func TestSnapshotHasPackagesWithAllFiles(t *testing.T) {
	s := snapshotIn(t, "OMNIBUCKET_SNAPSHOT")
	file := filepath.Join(s.dir, "omnibucket_"+s.version+"_linux_amd64.deb")

	info, err := exec.CommandContext(t.Context(), "dpkg-deb", "--info", file).Output()
	require.NoError(t, err)
	require.Contains(t, string(info), " Section: utils\n")
	require.Contains(t, string(info), " Homepage: https://"+library+"\n")

	contents, err := exec.CommandContext(t.Context(), "dpkg-deb", "--contents", file).Output()
	require.NoError(t, err)
	for _, path := range []string{
		"/usr/bin/omnibucket",
		"/usr/share/man/man1/omnibucket.1",
		"/usr/share/doc/omnibucket/copyright",
		"/usr/share/bash-completion/completions/omnibucket",
		"/usr/share/zsh/vendor-completions/_omnibucket",
		"/usr/share/fish/vendor_completions.d/omnibucket.fish",
	} {
		require.Contains(t, string(contents), " ."+path+"\n")
	}
}

// A packed is a file of an archive.
type packed struct {
	mode fs.FileMode
	data []byte
}

func filesOf(t *testing.T, archive string) map[string]packed {
	t.Helper()
	files := map[string]packed{}
	if strings.HasSuffix(archive, ".zip") {
		z, err := zip.OpenReader(archive)
		require.NoError(t, err)
		defer z.Close()
		for _, file := range z.File {
			data, err := fs.ReadFile(z, file.Name)
			require.NoError(t, err)
			files[file.Name] = packed{file.Mode(), data}
		}
		return files
	}
	f, err := os.Open(archive)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		files[header.Name] = packed{header.FileInfo().Mode(), data}
	}
}
