//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

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

// In a real browser, the page uploads, shows and deletes pictures. Each flow of testdata/flow.mjs is one scenario.
func TestFlowInABrowser(t *testing.T) {
	tests := []struct {
		name   string
		flow   string
		bucket func(t *testing.T) string // returns its address
		args   []string                  // of the program
	}{
		{name: "local", flow: "whole", bucket: localBucket},
		{name: "memory public", flow: "store", bucket: memoryBucket, args: []string{"-public"}},
		{name: "minio", flow: "store", bucket: minioBucket, args: []string{"-create"}},
		{name: "azurite", flow: "store", bucket: azuriteBucket, args: []string{"-create"}},
		{name: "memory in trouble", flow: "trouble", bucket: memoryBucket},
		{name: "memory with hostile names", flow: "names", bucket: memoryBucket},
		{name: "memory without a CORS rule", flow: "no cors", bucket: memoryBucket, args: []string{"-cors=false"}},
		{name: "azurite without a CORS rule", flow: "no cors", bucket: azuriteBucket, args: []string{"-create", "-cors=false"}},
	}
	files := testFiles(t)
	largeNames := largeFiles(t, files)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runFlowOfUploads(t, tt.flow, tt.bucket(t), files, largeNames, tt.args...)
		})
	}

	// While a browser uploads large files, the program needs little more memory than before.
	t.Run("local with large files", func(t *testing.T) {
		bucket := localBucket(t)
		before := residentMemory(t, true)
		runFlowOfUploads(t, "large", bucket, files, largeNames)
		peak := residentMemory(t, false)
		t.Logf("%d MiB in the largest file, %d MiB of memory above the %d MiB before", largeMiB(t), peak-before, before)
		require.LessOrEqual(t, peak, before+moreResident)
	})
}

// runFlowOfUploads starts the program with a bucket, and runs a flow with the files of a directory. Those with large
// names are sent in parts.
func runFlowOfUploads(t *testing.T, flow, bucket, files string, largeNames []string, args ...string) {
	t.Helper()
	runFlow(t, flow, map[string]any{
		"url":      startSite(t, append(args, "-bucket", bucket)...),
		"bucket":   withoutQuery(bucket),
		"public":   slices.Contains(args, "-public"),
		"files":    files,
		"images":   []string{"gradient.jpg", "Größe & Form ☕.png", "stripes.gif"}, // selected together
		"keyboard": []string{"by-keyboard.png"},                                   // selected by keyboard
		"large":    largeNames,
	})
}

// TestPictures takes the pictures of the documentation if OMNIBUCKET_DRAW is set. In a browser, the flow "pictures"
// uploads images to the gallery and sends large files.
func TestPictures(t *testing.T) {
	files := t.TempDir()

	// The gallery shows the first images. Then the page shows a file that is done, one on its way, and one refused.
	images := []string{"Lake at dawn.jpg", "Green valley.jpg", "Last light.jpg"}
	pagetest.Landscapes(t, files, append(images, "Misty hills.jpg", "Full moon.jpg")...)
	require.NoError(t, os.WriteFile(filepath.Join(files, "notes.txt"), []byte("No image.\n"), 0o600))

	// The large files have only zeros after their names.
	for name, mib := range map[string]int64{"survey-2026.tar": 120, "backup.zip": 40, "seminar.mp4": 24} {
		path := filepath.Join(files, name)
		require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
		require.NoError(t, os.Truncate(path, mib<<20))
	}

	runFlow(t, "pictures", map[string]any{
		"url":      startSite(t, "-bucket", "mem://photos"),
		"files":    files,
		"images":   images,
		"keyboard": []string{"Misty hills.jpg"},               // uploaded after the images
		"large":    []string{"survey-2026.tar", "backup.zip"}, // one on its way, and one paused
		"drawTo":   pagetest.DrawTo(t),
	})
}

// runFlow runs a flow of testdata/flow.mjs in a browser, with an input.
func runFlow(t *testing.T, flow string, input map[string]any) {
	t.Helper()
	input["flow"] = flow
	input["name"] = filepath.Base(t.Name()) // in the names of screenshots
	pagetest.Run(t, "browserupload", "testdata/flow.mjs", input)
}

var served = regexp.MustCompile(`Open (\S+) `)

// startSite runs the whole program until the test ends, and returns the page's address, which the program prints.
func startSite(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, stdout := io.Pipe()

	errc := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout)
		_ = stdout.CloseWithError(errors.Join(err, io.EOF))
		errc <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-errc)
	})

	// Read what the program prints until it has the address.
	var text bytes.Buffer
	for chunk := make([]byte, 512); ; {
		n, err := said.Read(chunk)
		text.Write(chunk[:n])
		if match := served.FindSubmatch(text.Bytes()); match != nil {
			t.Logf("%s", text.Bytes())
			return string(match[1])
		}
		require.NoError(t, err, "%s", text.Bytes())
	}
}

// localBucket returns the address of a bucket in a directory that does not exist yet.
func localBucket(t *testing.T) string {
	t.Helper()
	return fileAddress(filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")))
}

// memoryBucket returns the address of a new bucket in memory.
func memoryBucket(t *testing.T) string {
	t.Helper()
	return "mem://" + bucketName()
}

// minioBucket returns the address of a bucket that does not exist yet, and is removed after the test.
func minioBucket(t *testing.T) string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AWS_SESSION_TOKEN", "")
	address := "s3://" + bucketName() + "?region=us-east-1&path_style=true&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	t.Cleanup(func() { removeBucket(t, address) })
	return address
}

// azuriteBucket is in an account of its own, because CORS rules belong to the
// account, and the driver's own tests change those of the first.
func azuriteBucket(t *testing.T) string {
	t.Helper()
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "devstoreaccount2")
	t.Setenv("AZURE_STORAGE_KEY", testserver.Need(t, "OMNIBUCKET_TEST_AZURITE_KEY"))
	address := "azblob://" + bucketName() + "?endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_AZURITE_OTHER")
	t.Cleanup(func() { removeBucket(t, address) })
	return address
}

var bucketNumber int

// bucketName returns another name at each call.
func bucketName() string {
	bucketNumber++
	return fmt.Sprintf("browserupload-%d-%d", os.Getpid(), bucketNumber)
}

// removeBucket removes the bucket at an address with its objects.
func removeBucket(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the test's own context has ended
	defer cancel()
	account, name, err := accountOf(address)
	require.NoError(t, err)
	service, err := storage.OpenService(ctx, account)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, service.Close())
	}()
	bucket, err := service.Bucket(name)
	require.NoError(t, err)
	_, err = storage.RemoveMatching(ctx, bucket, nil)
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))
	require.NoError(t, service.DeleteBucket(ctx, name))
}
