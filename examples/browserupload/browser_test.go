package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A browserRun is one run of testdata/flow.mjs, which reads it as JSON.
type browserRun struct {
	Playwright string   `json:"playwright"` // the module
	Chromium   string   `json:"chromium"`   // the program
	Flow       string   `json:"flow"`
	Name       string   `json:"name"` // part of the names of screenshots
	URL        string   `json:"url"`
	Bucket     string   `json:"bucket"`
	Public     bool     `json:"public"`
	Files      string   `json:"files"`     // a directory
	Artifacts  string   `json:"artifacts"` // a directory
	Images     []string `json:"images"`    // selected together
	Keyboard   []string `json:"keyboard"`  // selected by keyboard, one at a time
	Large      []string `json:"large"`     // sent in parts
}

// largeMiB is the size of the larger of the large files, in MiB.
func largeMiB(t *testing.T) int64 {
	t.Helper()
	text := os.Getenv("OMNIBUCKET_BROWSER_LARGE_MIB")
	if text == "" {
		return 24
	}
	size, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return size
}

// largeFiles creates sparse files.
func largeFiles(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{"reload.bin", "dead connection.bin"}
	for i, mib := range []int64{largeMiB(t), 17} {
		path := filepath.Join(dir, names[i])
		require.NoError(t, os.WriteFile(path, []byte("not only zeros"), 0o600))
		require.NoError(t, os.Truncate(path, mib<<20))
	}
	return names
}

func TestTheFlowInABrowser(t *testing.T) {
	chromium, playwright := need(t, "OMNIBUCKET_TEST_CHROMIUM"), need(t, "OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT")
	files := testFiles(t)
	large := largeFiles(t, files)
	artifacts := artifactsDir(t)
	for _, row := range []struct {
		name   string
		flow   string
		bucket func(t *testing.T) string
		args   []string
	}{
		{"local", "whole", localBucket, nil},
		{"memory public", "whole", memoryBucket, []string{"-public"}},
		{"minio", "whole", minioBucket, []string{"-create"}},
		{"azurite", "whole", azuriteBucket, []string{"-create"}},
		{"memory in trouble", "trouble", memoryBucket, nil},
		{"local with large files", "large", localBucket, nil},
		{"memory without a CORS rule", "no cors", memoryBucket, []string{"-cors=false"}},
		{"azurite without a CORS rule", "no cors", azuriteBucket, []string{"-create", "-cors=false"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bucket := row.bucket(t)
			before := residentMemory(t, true)
			runFlow(t, browserRun{
				Playwright: playwright,
				Chromium:   chromium,
				Flow:       row.flow,
				Name:       filepath.Base(t.Name()),
				URL:        startSite(t, append(row.args, "-bucket", bucket)...),
				Bucket:     withoutQuery(bucket),
				Public:     slices.Contains(row.args, "-public"),
				Files:      files,
				Artifacts:  artifacts,
				Images:     []string{"gradient.jpg", "Größe & Form ☕.png", "stripes.gif"},
				Keyboard:   []string{"by-keyboard.png"},
				Large:      large,
			})
			if most := residentMemory(t, false); row.flow == "large" {
				t.Logf("%d MiB in the largest file, %d MiB of memory above the %d MiB before", largeMiB(t), most-before, before)
				require.LessOrEqual(t, most, before+moreResident)
			}
		})
	}
}

func runFlow(t *testing.T, run browserRun) {
	t.Helper()
	document, err := json.Marshal(run)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(largeMiB(t))*time.Second/2)
	defer cancel()
	said, err := exec.CommandContext(ctx, "node", "testdata/flow.mjs", string(document)).CombinedOutput()
	t.Logf("%s", said)
	require.NoError(t, err, "the screenshots are in %s", run.Artifacts)
}

// need returns a variable that testservers sets.
func need(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: \"make test\" starts what this test needs, as does: go run -C testservers . -only minio,azurite,chromium -- go test ./examples/browserupload", variable)
	}
	return value
}

// artifactsDir is where the screenshots are stored.
func artifactsDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("OMNIBUCKET_ARTIFACTS")
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "omnibucket-artifacts-") // not the test's own, because it is read after the test
		require.NoError(t, err)
	}
	dir, err := filepath.Abs(filepath.Join(dir, "browserupload"))
	require.NoError(t, err)
	t.Logf("screenshots: %s", dir)
	return dir
}

var served = regexp.MustCompile(`Open (\S+) `)

// startSite runs the whole program until the test ends, and returns the page's
// address.
func startSite(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout)
		_ = stdout.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	var text bytes.Buffer
	for chunk := make([]byte, 512); ; {
		n, err := said.Read(chunk)
		text.Write(chunk[:n])
		if found := served.FindSubmatch(text.Bytes()); found != nil {
			t.Logf("%s", text.Bytes())
			return string(found[1])
		}
		require.NoError(t, err, "%s", text.Bytes())
	}
}

func localBucket(t *testing.T) string {
	t.Helper()
	return fileAddress(filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")))
}

func memoryBucket(t *testing.T) string {
	t.Helper()
	return "mem://" + bucketName()
}

func minioBucket(t *testing.T) string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AWS_SESSION_TOKEN", "")
	address := "s3://" + bucketName() + "?region=us-east-1&path_style=true&endpoint=" + need(t, "OMNIBUCKET_TEST_MINIO")
	t.Cleanup(func() { removeBucket(t, address) })
	return address
}

// azuriteBucket is in an account of its own, because CORS rules belong to the
// account, and the driver's own tests change those of the first.
func azuriteBucket(t *testing.T) string {
	t.Helper()
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "devstoreaccount2")
	t.Setenv("AZURE_STORAGE_KEY", need(t, "OMNIBUCKET_TEST_AZURITE_KEY"))
	address := "azblob://" + bucketName() + "?endpoint=" + need(t, "OMNIBUCKET_TEST_AZURITE_OTHER")
	t.Cleanup(func() { removeBucket(t, address) })
	return address
}

var bucketNumber int

func bucketName() string {
	bucketNumber++
	return fmt.Sprintf("browserupload-%d-%d", os.Getpid(), bucketNumber)
}

func removeBucket(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own context has ended
	defer cancel()
	account, name, err := accountOf(address)
	require.NoError(t, err)
	service, err := storage.OpenService(ctx, account)
	require.NoError(t, err)
	defer func() { require.NoError(t, service.Close()) }()
	bucket, err := service.Bucket(name)
	require.NoError(t, err)
	_, err = storage.RemoveMatching(ctx, bucket, nil)
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))
	require.NoError(t, service.DeleteBucket(ctx, name))
}
