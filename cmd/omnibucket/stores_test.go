package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

// realStores are the servers of testservers on which all commands run.
var realStores = []struct {
	name          string
	keepsVersions bool
	address       func(t *testing.T, bucket, endpoint string) string
}{
	{
		name:          "MINIO",
		keepsVersions: true,
		address: func(t *testing.T, bucket, endpoint string) string {
			t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
			t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
			return "s3://" + bucket + "?" + url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {endpoint}}.Encode()
		},
	},
	{
		name:          "GCS",
		keepsVersions: false,
		address: func(_ *testing.T, bucket, endpoint string) string {
			return "gs://" + bucket + "?" + url.Values{"anonymous": {"true"}, "project": {"project"}, "endpoint": {endpoint}}.Encode()
		},
	},
	{
		name:          "AZURITE",
		keepsVersions: false,
		address: func(t *testing.T, bucket, endpoint string) string {
			t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
			t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
			return "azblob://" + bucket + "?" + url.Values{"account": {os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")}, "endpoint": {endpoint}}.Encode()
		},
	},
}

// randomBucketName returns a name that no other test uses on the same server.
func randomBucketName() string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	return "cli-" + hex.EncodeToString(random[:])
}

// The newer commands work on real servers. rb --force removes a bucket with everything that these
// commands leave in it.
func TestRealServersNewCommands(t *testing.T) {
	for _, store := range realStores {
		t.Run(store.name, func(t *testing.T) {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_"+store.name)
			s := newShell(t)
			address := store.address(t, randomBucketName(), endpoint)
			s.setLocation("box", address)
			s.run("mb", "box:")

			requireNewCommandsWork(t, s)
			if store.keepsVersions {
				requireVersionsAreRestored(t, s)
			}

			// Leave an unfinished upload for rb, but not on fake-gcs-server. That server refuses
			// with 412 to delete a bucket that is not empty, and Google with 409.
			if store.name != "GCS" {
				beginUpload(t, address)
			}
			s.run("rb", "--force", "box:")
		})
	}
}

// beginUpload leaves an unfinished upload in a bucket, if its store has such uploads.
func beginUpload(t *testing.T, address string) {
	bucket, err := storage.Open(t.Context(), address)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	if !storage.Supports(bucket, storage.OpenUploads) {
		return
	}
	upload, err := storage.BeginUpload(t.Context(), bucket, "unfinished")
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
}

// requireNewCommandsWork runs commands on box:, and leaves it empty.
func requireNewCommandsWork(t *testing.T, s *shell) {
	dir := t.TempDir()
	files := map[string]string{"a.jpg": "a", "b.jpg": "b", "c.png": "c", "2025/1.jpg": "1", "2026/1.jpg": "1", "2026/deep/2.jpg": "22"}
	writeFiles(t, dir, files)
	s.requireExit(exitOK, "sync", "--shard", "0/2", dir, "box:photos")
	s.requireExit(exitOK, "sync", "--shard", "1/2", dir, "box:photos")

	s.requireExit(exitOK, "check", dir, "box:photos")
	require.Equal(t, "photos/a.jpg\nphotos/b.jpg\n", s.run("ls", "box:photos/?.jpg"))
	require.Equal(t, "photos/2025/1.jpg\nphotos/2026/1.jpg\nphotos/2026/deep/2.jpg\n", s.run("ls", "box:photos/20*/**"))
	require.Equal(t, strings.Fields("1 1 photos/2025/ 3 2 photos/2026/ 7 6 photos/"), strings.Fields(s.run("du", "--depth", "1", "box:photos")))
	require.Equal(t, "photos/2026/deep/2.jpg\n", s.run("find", "--min-size", "2", "--newer", "1h", "box:"))
	require.Contains(t, s.run("tree", "box:photos"), "└── c.png\n")
	require.Equal(t, "2", s.run("head", "-c", "1", "box:photos/2026/deep/*"))
	require.Equal(t, "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35  photos/2\n", hashOf(s, "2"))

	s.run("mv", "box:photos/a.jpg", "box:moved/x.jpg")
	s.run("mv", "box:photos/2*/*.jpg", "box:moved/")

	s.run("mv", "-r", "box:photos/2026/", "box:moved/2026/")
	require.Equal(t, "moved/2025/1.jpg\nmoved/2026/1.jpg\nmoved/2026/deep/2.jpg\nmoved/x.jpg\n", s.run("ls", "-r", "box:moved"))
	require.Equal(t, "photos/2\nphotos/b.jpg\nphotos/c.png\n", s.run("ls", "-r", "box:photos"))

	s.requireExit(exitUsage, "mv", "box:photos/b.jpg", "box:photos/b.jpg")
	s.run("mv", "-r", "box:moved", filepath.Join(t.TempDir(), "down")+"/")
	s.requireExit(exitNotFound, "ls", "box:moved")

	s.stdin = "rm box:photos/2\nwait\nls -r box:\nmv box:photos/c.png box:d.png\n"
	stdout, _ := s.requireExit(exitOK, "run", "-")
	s.stdin = ""
	require.Contains(t, stdout, "photos/b.jpg\n")
	require.Equal(t, "d.png\nphotos/b.jpg\n", s.run("rm", "-v", "--all", "box:**"))
	s.requireExit(exitNotFound, "rm", "box:p*")
}

const exitKilled = -1 // of a process that was ended by a signal

// startAndKill starts the program with these arguments, and kills it after the wait if it has not
// ended.
func startAndKill(t *testing.T, wait time.Duration, args ...string) (exitCode int, stderr string) {
	t.Helper()
	process, stdin, stdout := startProcess(t, args...)
	require.NoError(t, stdin.Close())
	timer := time.AfterFunc(wait, func() {
		_ = process.Process.Kill()
	})
	_, _ = io.Copy(io.Discard, stdout)
	timer.Stop()
	_ = process.Wait() // the exit code says how it ended
	return process.ProcessState.ExitCode(), fmt.Sprint(process.Stderr)
}

// If mv is killed, each object is at the source or the destination.
func TestMvKilledOnRealServers(t *testing.T) {
	const objects = 60
	for _, store := range realStores {
		t.Run(store.name, func(t *testing.T) {
			endpoint := testserver.Need(t, "OMNIBUCKET_TEST_"+store.name)
			s := newShell(t)
			s.setLocation("box", store.address(t, randomBucketName(), endpoint))
			t.Setenv("OMNIBUCKET_BOX", s.addressOf("box"))
			s.run("mb", "box:")
			dir := t.TempDir()
			for i := range objects {
				writeFiles(t, dir, map[string]string{strconv.Itoa(i): strings.Repeat("x", i)})
			}
			s.run("cp", "-r", dir+"/", "box:from")

			// Each mv gets more time than the one before it. The last one has nothing left to move.
			kills := 0
			for wait := 20 * time.Millisecond; wait < time.Minute; wait += wait / 3 {
				exitCode, stderr := startAndKill(t, wait, "mv", "-r", "box:from/", "box:to")

				// Each object is in at least one of the two folders.
				names := map[string]bool{}
				for key := range strings.FieldsSeq(s.run("find", "box:")) {
					names[path.Base(key)] = true
				}
				require.Len(t, names, objects)

				// The mv before this one may have moved everything before it was killed. Then this
				// one finds nothing.
				if exitCode == exitOK || exitCode == exitNotFound {
					break
				}
				require.Equal(t, exitKilled, exitCode, "must have been killed: %s", stderr)
				kills++
			}
			require.Positive(t, kills)

			s.requireExit(exitNotFound, "ls", "box:from")
			s.requireExit(exitOK, "check", dir, "box:to")
			s.run("rb", "--force", "box:")
		})
	}
}

// hashOf stores a text as box:photos/2, and returns what the command "hash" prints.
func hashOf(s *shell, text string) string {
	s.t.Helper()
	s.put("box:photos/2", text)
	return s.run("hash", "box:photos/2")
}

// requireVersionsAreRestored runs undelete and restore on box:.
func requireVersionsAreRestored(t *testing.T, s *shell) {
	s.run("bucket", "--versioning", "on", "box:")
	s.put("box:kept/a", "one")
	s.put("box:kept/b", "b")
	timestamp := timeBetweenWrites(s)
	s.put("box:kept/a", "two")
	s.run("rm", "box:kept/b")

	s.requireExit(exitOK, "undelete", "box:kept")
	require.Equal(t, "b", s.run("cat", "box:kept/b"))
	s.requireExit(exitOK, "restore", "--at", timestamp, "box:kept")
	require.Equal(t, "one", s.run("cat", "box:kept/a"))
}
