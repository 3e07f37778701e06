package s3server_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

const (
	killedVariable = "OMNIBUCKET_S3SERVER_KILLED"
	// descriptorsVariable has the number of descriptors that the child process may have.
	descriptorsVariable = "OMNIBUCKET_S3SERVER_DESCRIPTORS"
	// killsVariable has the number of kills for each row of the test, by default 4. "make
	// durability" sets it to 50.
	killsVariable = "OMNIBUCKET_KILLS"
)

// limitDescriptors limits the descriptors of this process. It is nil on operating systems for which there is no such
// function here.
var limitDescriptors func(maximum uint64) error

// serveUntilKilled is the child process of TestDirectoryKilledLosesNothing: a server over the
// directory in the environment.
func serveUntilKilled(path string) error {
	if maximum, err := strconv.ParseUint(os.Getenv(descriptorsVariable), 10, 64); err == nil && limitDescriptors != nil {
		if err := limitDescriptors(maximum); err != nil {
			return err
		}
	}
	service, err := local.NewServiceDriver(path, local.Config{})
	if err != nil {
		return err
	}
	server, err := s3server.Start(s3server.Config{
		Service: service,
		Buckets: []string{bucket},
		Limits:  s3server.Limits{MinPartSize: 1},
	})
	if err != nil {
		return err
	}
	fmt.Println(server.URL)
	select {}
}

// A killable server is a child process.
type killable struct {
	*s3.Client
	command *exec.Cmd
	killed  atomic.Bool
}

// startKillable starts a server in a process of its own.
func startKillable(t *testing.T, path string, env ...string) *killable {
	t.Helper()
	k := &killable{command: exec.Command(os.Args[0])}
	k.command.Env = append(append(os.Environ(), killedVariable+"="+path), env...)
	k.command.Stderr = os.Stderr
	stdout, err := k.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, k.command.Start())
	t.Cleanup(func() { k.kill() })
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	k.Client = s3.New(s3.Options{
		Region:           s3server.DefaultRegion,
		BaseEndpoint:     aws.String(strings.TrimSpace(url)),
		UsePathStyle:     true,
		RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID,
			s3server.DefaultSecretKey, ""),
	})
	return k
}

// kill kills the process of the server.
func (k *killable) kill() {
	k.killed.Store(true)
	_ = k.command.Process.Kill()
	_ = k.command.Wait()
}

// numbered returns content for a number. The content contains the number, and its size depends on the number.
func numbered(key string, n int) string {
	line := fmt.Sprintf("%s %d\n", key, n)
	return strings.Repeat(line, 1+n%2000)
}

// A killWriter writes one key again and again, and sends parts of an upload.
type killWriter struct {
	key           string
	hasEqualParts bool // true if the parts have one size
	acknowledged  int  // number of the last write that the server acknowledged
	attempted     int  // number of the last write that was sent
	failed        int
	upload        string
	parts         []types.CompletedPart // acknowledged
}

// writeUntilKilled writes until the server is killed. If the server has no descriptor left, it may
// fail a request.
func (w *killWriter) writeUntilKilled(t *testing.T, k *killable) {
	for !k.killed.Load() {
		w.attempted++
		if _, err := k.PutObject(t.Context(), putInput(w.key, numbered(w.key, w.attempted))); err != nil {
			w.failed++
			continue
		}
		w.acknowledged = w.attempted
		number := int32(len(w.parts) + 1)
		part, err := k.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket:     aws.String(bucket),
			Key:        aws.String(w.key + "/large"),
			UploadId:   &w.upload,
			PartNumber: &number,
			Body:       strings.NewReader(w.part(int(number))),
		})
		if err != nil {
			w.failed++
			continue
		}
		w.parts = append(w.parts, types.CompletedPart{PartNumber: &number, ETag: part.ETag})
	}
}

// part returns the content of a part.
func (w *killWriter) part(n int) string {
	if w.hasEqualParts {
		return strings.Repeat(fmt.Sprintf("%s %04d\n", w.key, n), 1000)
	}
	return numbered(w.key, n)
}

// beginUpload begins a multipart upload.
func (w *killWriter) beginUpload(t *testing.T, k *killable) {
	output, err := k.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket),
		Key:    aws.String(w.key + "/large"),
	})
	require.NoError(t, err)
	w.upload = *output.UploadId
	w.parts = nil
}

// requireNothingLost requires that nothing that was acknowledged is lost. It completes the upload of the acknowledged
// parts, if there are any.
func (w *killWriter) requireNothingLost(t *testing.T, k *killable) {
	// The object has the complete content of the last acknowledged write or of a later attempt.
	if w.attempted > 0 {
		output, err := k.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String(w.key),
		})
		if w.acknowledged > 0 || err == nil {
			require.NoError(t, err)

			content := readBody(t, output.Body)
			n := 0
			_, err = fmt.Sscanf(content, w.key+" %d\n", &n)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, w.acknowledged, "an acknowledged write was lost")
			require.LessOrEqual(t, n, w.attempted)
			require.Equal(t, numbered(w.key, n), content, "a torn object")
			w.acknowledged = n // an attempt of an earlier kill may have taken effect
		}
	}

	// The upload has at least the acknowledged parts.
	parts, err := k.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String(w.key + "/large"),
		UploadId: &w.upload,
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(parts.Parts), len(w.parts))

	// The upload can be completed, and makes an object of these parts.
	if len(w.parts) == 0 {
		return
	}
	_, err = k.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket:          aws.String(bucket),
		Key:             aws.String(w.key + "/large"),
		UploadId:        &w.upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	require.NoError(t, err, "an upload cannot be continued")

	output, err := k.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String(w.key + "/large"),
	})
	require.NoError(t, err)
	var want strings.Builder
	for n := range w.parts {
		want.WriteString(w.part(n + 1))
	}
	require.Equal(t, want.String(), readBody(t, output.Body))
}

// If servers over a directory are killed, no acknowledged write is lost.
func TestDirectoryKilledLosesNothing(t *testing.T) {
	// The servers are killed once, four times in the full tests, or as often as a variable says.
	kills := testserver.Sample(1, 4)
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	tests := []struct {
		name        string
		servers     int
		writers     int
		environment []string // of the servers
	}{
		{name: "one server", servers: 1, writers: 8},
		{name: "two servers", servers: 2, writers: 8},
		{
			name:        "a server with 64 descriptors",
			servers:     1,
			writers:     64,
			environment: []string{descriptorsVariable + "=64"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.environment != nil && limitDescriptors == nil {
				t.Skip("descriptors are limited on Linux")
			}
			path := t.TempDir()
			writers := make([]*killWriter, tt.writers)
			for i := range writers {
				writers[i] = &killWriter{key: fmt.Sprintf("k%d", i), hasEqualParts: i%2 == 0}
			}

			// On a busy machine, the server may acknowledge no write before the first kills. These
			// kills then test nothing.
			acknowledged := 0
			for n := 0; n < kills || acknowledged == 0; n++ {
				servers := make([]*killable, tt.servers)
				for i := range servers {
					servers[i] = startKillable(t, path, tt.environment...)
				}
				for _, w := range writers {
					w.beginUpload(t, servers[0])
				}

				// All writers write until the servers are killed, at any moment.
				var group sync.WaitGroup
				for i, w := range writers {
					group.Go(func() {
						w.writeUntilKilled(t, servers[i%len(servers)])
					})
				}
				time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
				for _, server := range servers {
					server.kill()
				}
				group.Wait()

				// Another server has all writes that were acknowledged.
				next := startKillable(t, path)
				for _, w := range writers {
					acknowledged += w.acknowledged
					w.requireNothingLost(t, next)
				}
				next.kill()
			}
			requireNothingLeft(t, path)
		})
	}
}

// requireNothingLeft removes the objects and uploads that clients see. It requires that the next server removes the
// other files of its directory when it writes.
func requireNothingLeft(t *testing.T, path string) {
	t.Helper()

	// Remove the uploads and the objects.
	d := startInDirectory(t, path, s3server.Config{Buckets: []string{bucket}})
	for hasMore := true; hasMore; {
		uploads, err := d.store.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
			Bucket: aws.String(bucket),
		})
		require.NoError(t, err)
		for _, u := range uploads.Uploads {
			d.store.abort(t, *u.Key, *u.UploadId)
		}
		hasMore = *uploads.IsTruncated
	}
	objects, err := d.store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	for _, o := range objects.Contents {
		d.store.deleteObject(t, *o.Key)
	}
	d.store.server.Close()

	// The next server writes.
	d = startInDirectory(t, path, s3server.Config{})
	d.store.abort(t, "last", d.store.beginUpload(t, "last"))
	d.store.put(t, "last", "content")
	d.store.deleteObject(t, "last")

	// After a while, only the files of the bucket and of the server are there.
	leftovers := func() (files []string) {
		needed := []string{"bucket.json", "format.json", "lock"}
		_ = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil // a file may vanish during the walk
			}
			if !slices.Contains(needed, entry.Name()) && !strings.HasSuffix(file, ".lock") {
				files = append(files, strings.TrimPrefix(file, path))
			}
			return nil
		})
		return files
	}
	require.Eventually(t, func() bool { return len(leftovers()) == 0 }, time.Minute, 10*time.Millisecond,
		"files are left")
}

// abort ends a multipart upload.
func (s *store) abort(t *testing.T, key, upload string) {
	t.Helper()
	_, err := s.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{
		Bucket:   aws.String(bucket),
		Key:      &key,
		UploadId: &upload,
	})
	require.NoError(t, err)
}
