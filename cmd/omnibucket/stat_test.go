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

// splitLines returns the lines of a text.
func splitLines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// stat prints the attributes of an object in aligned lines. With --json, it prints them as one JSON
// object.
func TestStat(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.stdin = "123456789"
	s.run("cp", "--content-type", "text/plain", "--cache-control", "no-cache", "--content-language", "en",
		"--content-encoding", "identity", "--content-disposition", "inline",
		"--metadata", "colour=red=blue", "--metadata", "Owner=me, and you", "-", bucket+"/a.bin")

	lines := splitLines(s.run("stat", bucket+"/a.bin"))
	require.Equal(t, "key                  a.bin", lines[0])
	// The names of metadata are in lower case.
	for _, want := range []string{
		"size                 9",
		"content type         text/plain",
		"cache control        no-cache",
		"content language     en",
		"content encoding     identity",
		"content disposition  inline",
		"metadata colour      red=blue",
		"metadata owner       me, and you",
		"crc32c               e3069283",
	} {
		require.Contains(t, lines, want)
	}

	attrs := statOf(s, bucket+"/a.bin")
	require.Equal(t, map[string]string{"colour": "red=blue", "owner": "me, and you"}, attrs.Metadata)
	require.Equal(t, "e3069283", attrs.CRC32C)
	require.NotEmpty(t, attrs.Revision)
	require.False(t, attrs.Modified.IsZero())
}

// stat prints the number of tags. A copy keeps the tags of its source, unless the command gives it
// tags of its own.
func TestStatShowsTags(t *testing.T) {
	s := newShell(t)
	src := newDirectoryAddress(t)
	dst := newMemoryAddress(t)

	// Copy an object with two tags, alone and in a tree. The copies have these tags, too.
	s.stdin = "x"
	s.run("cp", "--tag", "team=blue", "--tag", "class=a=b", "-", src+"#a")
	s.run("cp", src+"#a", dst+"/a")
	s.run("cp", "-r", src, dst+"/tree")
	for _, address := range []string{src + "#a", dst + "/a", dst + "/tree/a"} {
		require.Equal(t, 2, statOf(s, address).TagCount)
		require.Contains(t, splitLines(s.run("stat", address)), "tags          2")
	}

	// A copy with a tag of its own has no other tag.
	s.run("cp", "--tag", "own=1", src+"#a", dst+"/a")
	require.Equal(t, 1, statOf(s, dst+"/a").TagCount)

	// A tag must have a value, and a name without a comma.
	s.requireExit(exitUsage, "cp", "--tag", "none", "-", dst+"/b")
	s.requireExit(exitUsage, "cp", "--tag", "a,b=c", "-", dst+"/b")
}

// stat prints the retention and the legal hold of an object.
func TestStatShowsLocks(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "?object_lock=true"
	s.put(bucket+"#a", "x")

	b, err := storage.Open(t.Context(), bucket)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	require.NoError(t, storage.SetRetention(t.Context(), b, "a", storage.Retention{Mode: storage.Governance, Until: end}))
	require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", true))

	attrs := statOf(s, bucket+"#a")
	require.Equal(t, "governance", attrs.RetentionMode)
	require.Equal(t, end, attrs.RetainUntil)
	require.True(t, attrs.LegalHold)

	text := s.run("stat", bucket+"#a")
	require.Regexp(t, `(?m)^retention +governance until `, text)
	require.Regexp(t, `(?m)^legal hold +true$`, text)
}

// stat of a bucket prints its settings.
func TestStatOfABucket(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/photos"
	s.run("mb", "--versioned", bucket)

	text := s.run("stat", bucket)
	require.Regexp(t, `(?m)^bucket +photos$`, text)
	require.Regexp(t, `(?m)^versioning +true$`, text)

	var info reading.InfoLine
	require.NoError(t, json.Unmarshal([]byte(s.run("stat", "--json", bucket)), &info))
	require.Equal(t, path.Base(bucket), info.Name)
	require.True(t, info.Versioning)

	// stat refuses --version for a bucket, and fails if the bucket does not exist.
	s.requireExit(exitUsage, "stat", "--version", "1", bucket)
	s.requireExit(exitNotFound, "stat", bucket+"-none")
}

// statOf returns the result of stat --json for an object.
func statOf(s *shell, address string) reading.AttrsLine {
	s.t.Helper()
	var attrs reading.AttrsLine
	require.NoError(s.t, json.Unmarshal([]byte(s.run("stat", "--json", "--literal", address)), &attrs))
	return attrs
}
