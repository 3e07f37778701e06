package main

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// newMinIOBucket returns the address of a bucket that does not exist yet, and separately the
// parameters of the address.
func newMinIOBucket(t *testing.T) (bucket, parameters string) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
	var random [8]byte
	_, _ = rand.Read(random[:])
	return "s3://cli-" + hex.EncodeToString(random[:]), "?" + url.Values{
		"region":     {"us-east-1"},
		"path_style": {"true"},
		"profile":    {"minio"},
		"endpoint":   {testserver.Need(t, "OMNIBUCKET_TEST_MINIO")},
	}.Encode()
}

// The commands create a bucket on a real server, work on its objects, and remove it.
func TestRealServerCommands(t *testing.T) {
	s := newShell(t)
	bucket, parameters := newMinIOBucket(t)
	dir := t.TempDir()
	back := t.TempDir()
	s.setLocation("box", bucket+parameters)
	writeFiles(t, dir, map[string]string{"report.txt": "0123456789", "photos/1.jpg": "one", "photos/2026/2.jpg": "two"})
	report := filepath.Join(dir, "report.txt")
	reportObject := bucket + "/report.txt" + parameters

	// Create the bucket. Before, it does not exist.
	s.requireExit(exitNotFound, "ls", bucket+parameters)
	s.requireExit(exitNotFound, "stat", bucket+parameters)
	s.run("mb", bucket+parameters)
	s.requireExit(exitFailure, "mb", bucket+parameters)
	require.Contains(t, splitLines(s.run("ls", "--buckets", "s3://"+parameters)), strings.TrimPrefix(bucket, "s3://"))
	require.Regexp(t, `(?m)^provider +s3$`, s.run("stat", bucket+parameters))

	// Store and read one object.
	s.run("cp", "--if-absent", "--metadata", "owner=me", report, bucket+parameters)
	s.requireExit(exitPrecondition, "cp", "--if-absent", report, bucket+parameters)
	otherRevision := statOf(s, reportObject).Revision + "0"
	s.requireExit(exitPrecondition, "cp", "--if-revision", otherRevision, report, bucket+parameters)

	attrs := statOf(s, reportObject)
	require.EqualValues(t, 10, attrs.Size)
	require.Equal(t, map[string]string{"owner": "me"}, attrs.Metadata)
	require.Equal(t, "345", s.run("cat", "--range", "3:3", "box:report.txt"))
	require.Regexp(t, `^ +10  \S+Z  report\.txt\n$`, s.run("ls", "-l", reportObject))
	s.requireExit(exitNotFound, "cat", bucket+"/none"+parameters)
	s.run("cp", reportObject, back)
	require.Equal(t, "0123456789", readFile(t, filepath.Join(back, "report.txt")))

	// Copy and sync a tree.
	s.run("cp", "-r", filepath.Join(dir, "photos"), "box:")
	require.Equal(t, "photos/\nreport.txt\n", s.run("ls", "box:"))
	s.run("cp", bucket+"/photos%2F1.jpg"+parameters, bucket+"/photos%2F3.jpg"+parameters)
	changes, _ := s.runSync("-v", "--delete", "box:photos", filepath.Join(back, "photos"))
	require.Len(t, changes, 3)

	// With --delete, sync removes an object whose file was removed from the source.
	require.NoError(t, os.Remove(filepath.Join(back, "photos", "3.jpg")))
	changes, _ = s.runSync("--dry-run", "--delete", filepath.Join(back, "photos"), "box:photos")
	require.Equal(t, []string{"deleted 3.jpg"}, changes)
	s.runSync("--delete", filepath.Join(back, "photos"), "box:photos")
	require.Equal(t, "photos/1.jpg\nphotos/2026/2.jpg\n", s.run("ls", "-r", "box:photos"))

	// Remove objects, and then the bucket.
	require.Equal(t, "photos/1.jpg\n", s.run("rm", "-v", "box:photos/1.jpg"))
	s.run("rm", "-r", "box:photos")
	require.Equal(t, "report.txt\n", s.run("ls", "-r", "box:"))
	_, stderr := s.requireExit(exitFailure, "rb", "box:")
	require.Contains(t, stderr, "bucket not empty")
	s.run("rm", "-r", "--all", "box:")
	s.run("rb", "box:")
	s.requireExit(exitNotFound, "ls", "box:")
}

// Keys that a shell or a URL could misinterpret work on a real server, also in signed URLs.
func TestRealServerHostileKeys(t *testing.T) {
	s := newShell(t)
	bucket, parameters := newMinIOBucket(t)
	s.setLocation("box", bucket+parameters)
	s.run("mb", "box:")

	for _, key := range hostile {
		// Upload an object with the curl command that sign prints. The content of the object is its
		// key.
		curlCommand := s.run("sign", "--upload", "--content-type", "text/x-test", "box:"+key)
		status, body := sendSignedCurl(t, curlCommand, key)
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, key, s.run("cat", bucket+"/"+url.PathEscape(key)+parameters))
		require.Equal(t, "text/x-test", statOf(s, "box:"+key).ContentType)

		// Download it from a signed URL.
		signedURL := strings.TrimSpace(s.run("sign", "--literal", "--filename", key, "box:"+key))
		status, body = get(t, signedURL)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, key, body)
	}
	require.Equal(t, len(hostile), strings.Count(s.run("ls", "-r", "box:"), "\n"))
	s.run("rb", "--force", "box:")
}

// Some servers, such as MinIO, refuse a lifecycle rule that only aborts uploads. The error says so.
func TestRealServerRuleThatOnlyAbortsUploads(t *testing.T) {
	s := newShell(t)
	bucket, parameters := newMinIOBucket(t)
	s.setLocation("box", bucket+parameters)
	s.run("mb", "box:")

	// A rule that only aborts uploads is refused.
	s.stdin = `[{"AbortUploadsAfterDays":3}]`
	_, stderr := s.requireExit(exitFailure, "bucket", "--lifecycle", "-", "box:")
	require.Contains(t, stderr, "unsupported")
	require.Contains(t, stderr, "hint: this server has no rules that only abort uploads")

	// Another rule is stored.
	s.stdin = `[{"Prefix":"tmp/","ExpireAfterDays":3}]`
	s.run("bucket", "--lifecycle", "-", "box:")
	require.Contains(t, s.run("bucket", "box:"), "tmp/")
	s.run("rb", "--force", "box:")
}

// The commands list, read, restore, sign and remove versions on a real server.
func TestRealServerVersions(t *testing.T) {
	s := newShell(t)
	bucket, parameters := newMinIOBucket(t)
	s.setLocation("box", bucket+parameters+"&versions=true")

	s.run("mb", "--versioned", bucket+parameters)
	s.put("box:a", "first")
	s.put("box:a", "second")
	s.run("rm", "box:a")

	// The versions are listed from the newest to the oldest.
	lines := splitLines(s.run("ls", "--versions", "box:a"))
	require.Len(t, lines, 3)
	require.Equal(t, "removed", strings.Fields(lines[0])[0])
	oldest := strings.Fields(lines[2])[1]

	// Read, restore and sign the oldest version.
	require.Equal(t, "first", s.run("cat", "--version", oldest, "box:a"))
	s.run("cp", "--version", oldest, "box:a", "box:a")
	require.Equal(t, "first", s.run("cat", "box:a"))
	status, body := get(t, strings.TrimSpace(s.run("sign", "--version", oldest, "box:a")))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "first", body)

	// rb --force removes all versions.
	s.run("rb", "--force", "box:")
	s.requireExit(exitNotFound, "stat", "box:")
}
