package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withLayers configures the location box with layers, and plain without them, for the same bucket.
func withLayers(t *testing.T, layers string) *shell {
	t.Helper()
	address := directory(t)
	s, _ := configured(t, "locations:\n  plain: "+address+"\n  box:\n    address: "+address+"\n    layers:\n"+layers)
	return s
}

func TestAReadOnlyLocation(t *testing.T) {
	s := withLayers(t, "    - readonly: {}\n")
	s.put("plain:a", "text")
	require.Equal(t, "text", s.ok("cat", "box:a"))
	require.Equal(t, "a\n", s.ok("ls", "box:"))
	s.ok("cp", "box:a", "plain:copy")
	for _, args := range [][]string{
		{"cp", "box:a", "box:b"}, {"rm", "box:a"}, {"rb", "box:"}, {"rb", "--force", "box:"}, {"mb", "box:"},
	} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "a\ncopy\n", s.ok("ls", "plain:"), "nothing was changed")
}

func TestALimitedLocation(t *testing.T) {
	s := withLayers(t, "    - limit: {bytes: 1G, reads: 4}\n")
	s.put("plain:a", "text")
	began := time.Now()
	s.in = "cat box:a\ncat box:a\ncat box:a\n"
	require.Equal(t, "texttexttext", s.ok("-q", "run", "-"))
	require.GreaterOrEqual(t, time.Since(began), 500*time.Millisecond, "the lines share the limit")
}

func TestACachedLocation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := withLayers(t, "    - diskcache: {dir: "+dir+", max: 10M, trust: 1m}\n")
	s.put("box:a", "text")
	require.Equal(t, "text", s.ok("cat", "box:a"))
	require.DirExists(t, dir)
}

func TestALocationWithNamedCredentials(t *testing.T) {
	s, path := configured(t, "locations:\n  photos:\n    address: s3://photos?region=eu-west-1\n    credentials: old\n    layers: [{readonly: {}}]\n")
	require.Equal(t, "photos  s3://photos?region=eu-west-1&credentials=old  readonly\n", s.ok("config", "list"))
	require.Contains(t, s.ok("config", "list", "--json"), `"layers":["readonly"]`)
	_, stderr := s.exits(1, "ls", "photos:")
	require.Contains(t, stderr, "OLD_AWS_ACCESS_KEY_ID")
	s.ok("config", "add", "--replace", "photos", "mem://photos")
	require.Equal(t, "locations:\n  photos:\n    address: mem://photos\n    credentials: old\n    layers: [{readonly: {}}]\n", readFile(t, path), "the rest stays")
}

func TestAReadOnlyGateway(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	dir := filepath.ToSlash(t.TempDir())
	s, _ := configured(t, "locations:\n  reports:\n    address: file://"+dir+"\n    layers: [{readonly: {}}]\n")
	s.ok("mb", "file://"+dir+"/year")
	s.put("file://"+dir+"/year#a", "text")
	parameters := "?path_style=true&region=us-east-1&endpoint=" + s.servingS3("reports:")
	require.Equal(t, "text", s.ok("cat", "s3://year/a"+parameters))
	for _, args := range [][]string{{"rm", "s3://year/a" + parameters}, {"rb", "--force", "s3://year/" + parameters}, {"mb", "s3://other/" + parameters}} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "permission denied", args)
	}
	require.Equal(t, "text", s.ok("cat", "file://"+dir+"/year#a"))
}

func TestInvalidLayers(t *testing.T) {
	for _, row := range []struct{ name, layers, says string }{
		{"an unknown layer", "    - hunter2: {}\n", "layers are limit, diskcache and readonly"},
		{"an unknown field", "    - limit: {hunter2: 1}\n", "layers are limit, diskcache and readonly"},
		{"two in one", "    - {readonly: {}, limit: {reads: 1}}\n", "must have one name"},
		{"none", "    - {}\n", "must have one name"},
		{"a negative limit", "    - limit: {reads: -1}\n", "limit: Config.Requests must have numbers from 0.001"},
		{"no rate", "    - limit: {bytes: hunter2}\n", "limit: timetable must have rates"},
		{"a relative directory", "    - diskcache: {dir: hunter2}\n", "diskcache: dir must be an absolute path"},
		{"no size", "    - diskcache: {dir: /c, max: hunter2}\n", "diskcache: max must be a size"},
		{"no duration", "    - diskcache: {dir: /c, trust: hunter2}\n", "diskcache: trust must be a duration"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := withLayers(t, row.layers)
			_, stderr := s.exits(2, "ls", "plain:")
			require.Contains(t, stderr, row.says)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}
