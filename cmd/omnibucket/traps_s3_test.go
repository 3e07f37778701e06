package main

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// Some servers, such as SeaweedFS, list all of a/ before a-b. Then commands that rely on the order
// of keys fail, unless the address has the server's profile.
func TestSyncDeletesNothingThatAServerListsLate(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", folderorder.With(s3server.Config{Limits: s3server.Limits{MaxPage: 2}}))

	// The backup has the same files as the bucket.
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
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "profile=seaweedfs")
	}

	// With the profile, no command relies on the order of the server, and sync deletes nothing.
	s.addParameter("box", "profile=seaweedfs")
	s.requireExit(exitOK, "sync", "--delete", "box:", backup)
	for _, key := range keys {
		require.FileExists(t, filepath.Join(backup, filepath.FromSlash(key)))
	}
	require.Equal(t, keys, splitLines(s.run("ls", "-r", "box:")))
}

// If the store throttles half of the uploads, sync tries again, and loses no file.
func TestSyncThrottled(t *testing.T) {
	const files = 60
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	dir := t.TempDir()
	for i := range files {
		writeFiles(t, dir, map[string]string{fmt.Sprintf("%02d", i): "x"})
	}
	server.Inject(s3server.Throttle("PutObject", files/2))

	s.requireExit(exitOK, "sync", dir, "box:")
	require.Len(t, splitLines(s.run("ls", "-r", "box:")), files)
}

// If the first or the second page of a listing fails, the command fails and removes nothing.
// Otherwise somebody could take the bucket for empty.
func TestListingFailsIsNoEmptyBucket(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{Limits: s3server.Limits{MaxPage: 2}})
	backup := t.TempDir()
	for _, goodPages := range []int{0, 1} {
		// The listing has two pages. goodPages of them succeed, and the next one fails.
		fault := s3server.Fail("ListObjectsV2", "AccessDenied")
		fault.Skip = goodPages
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
			// Each command begins with the same objects and files.
			for _, key := range []string{"a", "b", "c", "d"} {
				s.put("box:in/"+key, "x")
			}
			writeFiles(t, backup, map[string]string{"a": "x", "e": "x"})

			removeFault := server.Inject(fault)
			_, stderr := s.requireExit(exitFailure, args...)
			removeFault()

			require.Contains(t, stderr, "permission denied", args)
			require.FileExists(t, filepath.Join(backup, "e"))
		}
	}
}

// If the content of a download does not match its checksum, no file is left.
func TestCpDamagedDownloadLeavesNoFile(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	// A server with this profile keeps checksums.
	s.addParameter("box", "profile=minio")
	dir := t.TempDir()
	s.put("box:in/a", "0123456789")

	// Each download has one wrong byte.
	server.Inject(s3server.FlipAt("GetObject", 3))

	for _, args := range [][]string{
		{"cp", "box:in/a", dir},
		{"cp", "-r", "box:in", dir},
		{"sync", "box:in", dir},
		{"mv", "box:in/a", dir},
	} {
		s.requireExit(exitFailure, args...)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries, args)
	}

	// mv has kept its source, too.
	server.ClearFaults()
	require.Equal(t, "0123456789", s.run("cat", "box:in/a"))
}

// If the user has no permission to read one setting of a bucket, the other settings are still
// printed. A note names the missing permission.
func TestBucketSettingsForbidden(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	s.addParameter("box", "profile=aws")
	server.Inject(s3server.Fail("GetBucketPolicy*", "AccessDenied"))
	s.stdin = `[{"Origins":["*"],"Methods":["GET"]}]`
	s.run("bucket", "--cors", "-", "box:")

	stdout, stderr := s.requireExit(exitOK, "bucket", "box:")
	require.Contains(t, stdout, "GET")
	require.Regexp(t, `public +unknown`, stdout)
	require.Contains(t, stderr, "permit s3:GetBucketPolicy")
	require.Contains(t, s.run("--quiet", "bucket", "--json", "box:"), `"unread":["Public"]`)
}

// If the name of a bucket is misspelled, each command says with a hint that the bucket was not found.
func TestMissingBucketHasAHint(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.setLocation("box", strings.Replace(s.addressOf("box"), "photos", "phtoos", 1))
	for _, args := range [][]string{
		{"ls", "box:"},
		{"cat", "box:a"},
		{"cp", "-", "box:a"},
		{"stat", "box:a"},
		{"sync", "box:", t.TempDir()},
	} {
		_, stderr := s.requireExit(exitNotFound, args...)
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

	output := s.run("sign", "--json", "--ttl", "168h", "s3://photos/a?region=eu-west-1")

	var result storage.SignedURL
	require.NoError(t, json.Unmarshal([]byte(output), &result))
	require.WithinDuration(t, time.Now().Add(12*time.Hour), result.ExpiresAt, time.Minute)
}

// sign refuses an access point of FSx, because FSx has no signed URLs.
func TestSignOtherKindsOfBuckets(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	_, stderr := s.requireExit(exitFailure, "sign", "s3://data-abc123-ext-s3alias/a?region=eu-west-1")
	require.Contains(t, stderr, "unsupported")
}

// With request_payer in the address, a signed URL says that the requester pays.
func TestSignRequesterPays(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	u, err := url.Parse(strings.TrimSpace(s.run("sign", "s3://photos/a?region=eu-west-1&request_payer=requester")))
	require.NoError(t, err)
	require.Equal(t, "requester", u.Query().Get("x-amz-request-payer"))
}

// With --disposition inline, a browser shows the object of a signed URL instead of saving it.
func TestSignInline(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.put("box:a", "text")
	text := strings.TrimSpace(s.run("sign", "--disposition", `inline; filename="test.pdf"`, "box:a"))

	status, body := get(t, text)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, text, "inline")
}

// With --head, a signed URL is for a HEAD request, and not for other methods.
func TestSignHead(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.put("box:a", "text")

	signedURL := strings.TrimSpace(s.run("sign", "--head", "box:a"))

	status, _ := ask(t, request(t, http.MethodHead, signedURL, ""))
	require.Equal(t, http.StatusOK, status)
	status, _ = get(t, signedURL)
	require.Equal(t, http.StatusForbidden, status)
}

// If credentials are missing, the program prints one error with a hint, and no warnings of Amazon's SDK.
func TestCredentialsMissingAreOneError(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")

	process, stdin, stdout := startProcess(t, "ls", "s3://photos?region=eu-west-1")
	require.NoError(t, stdin.Close())
	require.NoError(t, stdout.Close())

	require.Equal(t, exitFailure, waitForExit(t, process))
	stderr := process.Stderr.(fmt.Stringer).String()
	require.Equal(t, 1, strings.Count(stderr, "omnibucket: "), stderr)
	require.Len(t, splitLines(stderr), 2, stderr)
	require.Contains(t, stderr, "hint: set AWS_ACCESS_KEY_ID")
}
