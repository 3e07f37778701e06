package main

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/reading"
)

func splitLines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

func TestStat(t *testing.T) {
	s := newShell(t)
	bucket := memory(t)
	s.in = "123456789"
	s.ok("cp", "--content-type", "text/plain", "--cache-control", "no-cache", "--content-language", "en",
		"--content-encoding", "identity", "--content-disposition", "inline",
		"--metadata", "colour=red=blue", "--metadata", "Owner=me, and you", "-", bucket+"/a.bin")

	lines := splitLines(s.ok("stat", bucket+"/a.bin"))
	require.Equal(t, "key                  a.bin", lines[0])
	for _, want := range []string{
		"size                 9", "content type         text/plain", "cache control        no-cache",
		"content language     en", "content encoding     identity", "content disposition  inline",
		"metadata colour      red=blue", "metadata owner       me, and you", "crc32c               e3069283",
	} {
		require.Contains(t, lines, want)
	}

	var attrs reading.AttrsLine
	require.NoError(t, json.Unmarshal([]byte(s.ok("stat", "--json", bucket+"/a.bin")), &attrs))
	require.Equal(t, map[string]string{"colour": "red=blue", "owner": "me, and you"}, attrs.Metadata)
	require.Equal(t, "e3069283", attrs.CRC32C)
	require.NotEmpty(t, attrs.Revision)
	require.False(t, attrs.Modified.IsZero())
}

func TestStatShowsTagsAndLocks(t *testing.T) {
	s := newShell(t)
	from := directory(t) + "?object_lock=true"
	to := memory(t)
	s.in = "x"
	s.ok("cp", "--tag", "team=blue", "--tag", "class=a=b", "-", from+"#a")
	s.ok("cp", from+"#a", to+"/a")
	s.ok("cp", "-r", from, to+"/tree")
	for _, address := range []string{from + "#a", to + "/a", to + "/tree/a"} {
		require.Equal(t, 2, statOf(s, address).TagCount)
		require.Contains(t, splitLines(s.ok("stat", address)), "tags          2")
	}
	s.ok("cp", "--tag", "own=1", from+"#a", to+"/a")
	require.Equal(t, 1, statOf(s, to+"/a").TagCount)
	s.exits(2, "cp", "--tag", "none", "-", to+"/b")
	s.exits(2, "cp", "--tag", "a,b=c", "-", to+"/b")

	b, err := storage.Open(t.Context(), from)
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
	end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	require.NoError(t, storage.SetRetention(t.Context(), b, "a", storage.Retention{Mode: storage.Governance, Until: end}))
	require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", true))
	attrs := statOf(s, from+"#a")
	require.Equal(t, "governance", attrs.RetentionMode)
	require.Equal(t, end, attrs.RetainUntil)
	require.True(t, attrs.LegalHold)
	text := s.ok("stat", from+"#a")
	require.Regexp(t, `(?m)^retention +governance until `, text)
	require.Regexp(t, `(?m)^legal hold +true$`, text)
}

func TestStatOfABucket(t *testing.T) {
	s := newShell(t)
	bucket := directory(t) + "/photos"
	s.ok("mb", "--versioned", bucket)
	text := s.ok("stat", bucket)
	require.Regexp(t, `(?m)^bucket +photos$`, text)
	require.Regexp(t, `(?m)^versioning +true$`, text)
	var info reading.InfoLine
	require.NoError(t, json.Unmarshal([]byte(s.ok("stat", "--json", bucket)), &info))
	require.Equal(t, path.Base(bucket), info.Name)
	require.True(t, info.Versioning)
	s.exits(2, "stat", "--version", "1", bucket)
	s.exits(3, "stat", bucket+"-none")
}

// statOf returns the result of stat --json for an object.
func statOf(s *shell, address string) reading.AttrsLine {
	s.t.Helper()
	var attrs reading.AttrsLine
	require.NoError(s.t, json.Unmarshal([]byte(s.ok("stat", "--json", "--literal", address)), &attrs))
	return attrs
}
