package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/folderorder"
	"github.com/omnibucket/storage/s3server"
)

// SeaweedFS lists all of a/ before a-b. Without its profile, commands that need the order fail. With it, sync --delete
// does not take the later key for missing.
func TestSyncDeletesNothingThatAServerListsLate(t *testing.T) {
	s := newShell(t)
	startS3Box(t, s, folderorder.With(s3server.Config{Limits: s3server.Limits{MaxPage: 2}}))
	backup := t.TempDir()
	keys := []string{"a-b", "a.json", "a/1", "a/2", "a/3", "z"}
	for _, key := range keys {
		s.put("box:"+key, "x")
		writeFiles(t, backup, map[string]string{key: "x"})
	}

	for _, args := range [][]string{
		{"sync", "--delete", "box:", backup},
		{"ls", "-r", "box:"},
		{"du", "box:"},
		{"rm", "-r", "--all", "--dry-run", "box:"},
	} {
		_, stderr := s.exits(exitFailure, args...)
		require.Contains(t, stderr, "profile=seaweedfs")
	}

	s.env["OMNIBUCKET_BOX"] += "&profile=seaweedfs"
	s.exits(exitOK, "sync", "--delete", "box:", backup)
	for _, key := range keys {
		require.FileExists(t, filepath.Join(backup, filepath.FromSlash(key)))
	}
	require.Equal(t, keys, splitLines(s.ok("ls", "-r", "box:")))
}

// If the store throttles half of the uploads, sync tries again, and loses no file.
func TestSyncThrottled(t *testing.T) {
	const files = 60
	s := newShell(t)
	server := startS3Box(t, s, s3server.Config{})
	dir := t.TempDir()
	for i := range files {
		writeFiles(t, dir, map[string]string{fmt.Sprintf("%02d", i): "x"})
	}
	server.Inject(s3server.Throttle("PutObject", files/2))
	s.exits(exitOK, "sync", dir, "box:")
	require.Len(t, splitLines(s.ok("ls", "-r", "box:")), files)
}

// If a listing fails, at its first or its second page, the exit code says so, because a script must not take the
// bucket for empty. Nothing is removed.
func TestListingFailsIsNoEmptyBucket(t *testing.T) {
	s := newShell(t)
	server := startS3Box(t, s, s3server.Config{Limits: s3server.Limits{MaxPage: 2}})
	backup := t.TempDir()
	for _, pages := range []int{0, 1} { // that succeed
		fault := s3server.Fail("ListObjectsV2", "AccessDenied")
		fault.Skip = pages
		for _, args := range [][]string{
			{"ls", "-r", "box:in"},
			{"ls", "box:in/*"},
			{"find", "box:in"},
			{"du", "box:in"},
			{"tree", "box:in"},
			{"rm", "-r", "box:in"},
			{"hash", "box:in"},
			{"cp", "-r", "box:in", t.TempDir()},
			{"mv", "-r", "box:in", t.TempDir()},
			{"sync", "--delete", "--empty-source", "box:in", backup},
			{"check", "box:in", backup},
		} {
			for _, key := range []string{"a", "b", "c", "d"} {
				s.put("box:in/"+key, "x")
			}
			writeFiles(t, backup, map[string]string{"a": "x", "e": "x"})

			undo := server.Inject(fault)
			_, stderr := s.exits(exitFailure, args...)
			undo()
			require.Contains(t, stderr, "permission denied", args)
			require.FileExists(t, filepath.Join(backup, "e"))
		}
	}
}

// If the content of a download does not have its checksum, no file is left.
func TestCpDamagedDownloadLeavesNoFile(t *testing.T) {
	s := newShell(t)
	server := startS3Box(t, s, s3server.Config{})
	s.env["OMNIBUCKET_BOX"] += "&profile=minio" // it keeps checksums
	dir := t.TempDir()
	s.put("box:in/a", "0123456789")
	server.Inject(s3server.FlipAt("GetObject", 3))

	for _, args := range [][]string{
		{"cp", "box:in/a", dir},
		{"cp", "-r", "box:in", dir},
		{"sync", "box:in", dir},
		{"mv", "box:in/a", dir},
	} {
		s.exits(exitFailure, args...)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries, args)
	}

	server.ClearFaults()
	require.Equal(t, "0123456789", s.ok("cat", "box:in/a"))
}

// If one setting of a bucket may not be read, the others are still printed, and a note names the missing permission.
func TestBucketSettingsForbidden(t *testing.T) {
	s := newShell(t)
	server := startS3Box(t, s, s3server.Config{})
	s.env["OMNIBUCKET_BOX"] += "&profile=aws"
	server.Inject(s3server.Fail("GetBucketPolicy*", "AccessDenied"))
	s.in = `[{"Origins":["*"],"Methods":["GET"]}]`
	s.ok("bucket", "--cors", "-", "box:")
	stdout, stderr := s.exits(exitOK, "bucket", "box:")
	require.Contains(t, stdout, "GET")
	require.Regexp(t, `public +unknown`, stdout)
	require.Contains(t, stderr, "permit s3:GetBucketPolicy")
	require.Contains(t, s.ok("--quiet", "bucket", "--json", "box:"), `"unread":["Public"]`)
}

// If the name of the bucket is misspelled, each command says that the bucket is missing, with a hint.
func TestMissingBucketHasAHint(t *testing.T) {
	s := newShell(t)
	startS3Box(t, s, s3server.Config{})
	s.setBox(strings.Replace(s.env["OMNIBUCKET_BOX"], "photos", "phtoos", 1))
	for _, args := range [][]string{
		{"ls", "box:"},
		{"cat", "box:a"},
		{"cp", "-", "box:a"},
		{"stat", "box:a"},
		{"sync", "box:", t.TempDir()},
	} {
		_, stderr := s.exits(exitNotFound, args...)
		require.Contains(t, stderr, "bucket not found", args)
		require.Contains(t, stderr, "hint: ", args)
	}
}

// If the credentials are temporary, sign reports that the URL expires in 12 hours, even with a longer --ttl.
func TestSignTellsWhenTheSessionEnds(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "ASIAX")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	var result storage.SignedURL
	output := s.ok("sign", "--json", "--ttl", "168h", "s3://photos/a?region=eu-west-1")
	require.NoError(t, json.Unmarshal([]byte(output), &result))
	require.WithinDuration(t, time.Now().Add(12*time.Hour), result.ExpiresAt, time.Minute)
}

// A signed URL names the requester who pays. An access point of FSx knows no signed URLs, and sign says so.
func TestSignOtherKindsOfBuckets(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	u, err := url.Parse(strings.TrimSpace(s.ok("sign", "s3://photos/a?region=eu-west-1&request_payer=requester")))
	require.NoError(t, err)
	require.Equal(t, "requester", u.Query().Get("x-amz-request-payer"))

	_, stderr := s.exits(exitFailure, "sign", "s3://data-abc123-ext-s3alias/a?region=eu-west-1") // FSx, which knows no signed URLs
	require.Contains(t, stderr, "unsupported")
}

// With --disposition inline, a browser shows the object of a signed URL instead of saving it.
func TestSignInline(t *testing.T) {
	s := newShell(t)
	startS3Box(t, s, s3server.Config{})
	s.put("box:a", "text")
	text := strings.TrimSpace(s.ok("sign", "--disposition", `inline; filename="test.pdf"`, "box:a"))

	status, body := get(t, text)
	require.Equal(t, 200, status, body)
	require.Contains(t, text, "inline")

	head := strings.TrimSpace(s.ok("sign", "--head", "box:a"))
	status, _ = ask(t, request(t, "HEAD", head, ""))
	require.Equal(t, 200, status)

	status, _ = get(t, head)
	require.Equal(t, 403, status)
}

// If credentials are missing, one error says so. Amazon's SDK would look for a service of virtual machines, and
// print warnings.
func TestCredentialsMissingAreOneError(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":                      "",
		"AWS_SECRET_ACCESS_KEY":                  "",
		"AWS_SESSION_TOKEN":                      "",
		"AWS_PROFILE":                            "",
		"AWS_CONFIG_FILE":                        none,
		"AWS_SHARED_CREDENTIALS_FILE":            none,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT":      "http://127.0.0.1:1",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI":     "",
	} {
		t.Setenv(name, value)
	}

	process, stdin, stdout := startProcess(t, "ls", "s3://photos?region=eu-west-1")
	require.NoError(t, stdin.Close())
	require.NoError(t, stdout.Close())

	require.Equal(t, exitFailure, waitForExit(t, process))
	text := process.Stderr.(fmt.Stringer).String()
	require.Equal(t, 1, strings.Count(text, "omnibucket: "), text)
	require.Len(t, splitLines(text), 2, text)
	require.Contains(t, text, "hint: set AWS_ACCESS_KEY_ID")
}
