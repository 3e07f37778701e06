package transfer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

const (
	largeParts = 6
	partBytes  = 5 << 20 // the smallest that S3 takes
	inFlight   = 2
)

// A resumedJob is a directory for a process that uploads a large file to an S3 server, and is
// killed. It has the tree with the file, the state of uploads, and the server's address.
type resumedJob string

func (r resumedJob) tree() string   { return filepath.Join(string(r), "tree") }
func (r resumedJob) kept() string   { return filepath.Join(string(r), "kept") }
func (r resumedJob) server() string { return filepath.Join(string(r), "server") }

// runResumed is the job of the process that is killed. It uploads the tree with WithResume.
func runResumed(dir string) error {
	r := resumedJob(dir)
	endpoint, err := os.ReadFile(r.server())
	if err != nil {
		return err
	}
	ctx := context.Background()
	b, err := s3.Open(ctx, s3.Config{
		Bucket:      "photos",
		Endpoint:    string(endpoint),
		PathStyle:   aws.Bool(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Region:      s3server.DefaultRegion,
	}, storage.WithDefaultPartSize(partBytes))
	if err != nil {
		return err
	}
	_, err = transfer.Upload(ctx, b, r.tree(), transfer.WithConcurrency(2*inFlight),
		transfer.WithResume(r.kept()))
	return err
}

// A partServer is an S3 server that can stop answering the requests that send parts.
type partServer struct {
	handler *s3server.Handler
	sent    atomic.Int32  // parts that were answered
	hold    atomic.Int32  // how many are answered before the rest is held; below 0: all
	held    chan struct{} // one that is held
	gone    chan struct{} // ends what is held
}

// ServeHTTP answers as many parts as the field hold says. It holds later parts until the channel
// gone is closed. It answers all other requests at once.
func (p *partServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
		if p.hold.Add(-1) == -1 || p.hold.Load() < -1 && p.held != nil {
			p.held <- struct{}{}
			<-p.gone
			return
		}
		p.sent.Add(1)
	}
	p.handler.ServeHTTP(w, r)
}

// After a job with WithResume was killed, the next run uploads only the parts that are missing.
func TestWithResumeAfterAKill(t *testing.T) {
	const finishedParts = 3 // when the process is killed
	r := resumedJob(t.TempDir())

	// Each part of the file has one byte that differs from those of the others.
	require.NoError(t, os.Mkdir(r.tree(), 0o755))
	large, err := os.Create(filepath.Join(r.tree(), "large"))
	require.NoError(t, err)
	for i := range int64(largeParts) {
		_, err := large.WriteAt([]byte{byte(i + 1)}, i*partBytes+i)
		require.NoError(t, err)
	}
	require.NoError(t, large.Truncate(largeParts*partBytes))
	require.NoError(t, large.Close())

	// The server stores some parts, and then holds the requests of all others.
	server := &partServer{
		handler: s3server.New(s3server.Config{Strict: true, Buckets: []string{"photos"}}),
		held:    make(chan struct{}, 64),
		gone:    make(chan struct{}),
	}
	server.hold.Store(finishedParts)
	listening := httptest.NewServer(server)
	defer listening.Close()
	require.NoError(t, os.WriteFile(r.server(), []byte(listening.URL), 0o644))

	// As many parts as inFlight says are sent at once. When the server holds all of them, the
	// process is killed. By then, the earlier parts are recorded for the next run.
	killed := r.command(t)
	require.NoError(t, killed.Start())
	for range inFlight {
		<-server.held
	}
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	close(server.gone)
	require.EqualValues(t, finishedParts, server.sent.Load())
	require.Len(t, keptUploads(t, r.kept()), 1)

	// The next process sends only the other parts, in the same multipart upload.
	const noLimit = 1 << 20
	server.hold.Store(noLimit)
	output, err := r.command(t).CombinedOutput()
	require.NoError(t, err, string(output))
	require.EqualValues(t, largeParts, server.sent.Load())
	require.Equal(t, 1, server.handler.Count("CreateMultipartUpload"))
	require.Empty(t, keptUploads(t, r.kept()))

	// The object has the bytes of the file.
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    listening.URL,
		PathStyle:   aws.Bool(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Region:      s3server.DefaultRegion,
	})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	downloaded := t.TempDir()
	_, err = transfer.Download(t.Context(), b, downloaded)
	require.NoError(t, err)
	require.Equal(t, fingerprints(t, r.tree()), fingerprints(t, downloaded))
}

// command returns the command that runs the job in a process of its own.
func (r resumedJob) command(t *testing.T) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"=resumed:"+string(r))
	return cmd
}

// keptUploads returns the files of unfinished uploads in dir.
func keptUploads(t *testing.T, dir string) []string {
	t.Helper()
	result, err := filepath.Glob(filepath.Join(dir, "*.upload"))
	require.NoError(t, err)
	return result
}

// A job with WithResume aborts an upload that nobody has resumed for a week, and keeps a younger one.
func TestWithResumeAbandonsUploads(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	dir := t.TempDir()
	journals := filepath.Join(t.TempDir(), "new", "kept")
	// uploadAfter uploads an empty directory with WithResume. The clock of this job is ahead by the
	// delay.
	uploadAfter := func(delay time.Duration) {
		t.Helper()
		later := func() time.Time { return time.Now().Add(delay) }
		_, err := transfer.Upload(t.Context(), b, dir, transfer.WithResume(journals), transfer.WithNow(later))
		require.NoError(t, err)
	}
	uploadAfter(0) // a first job has nothing to abort

	// Another upload is canceled halfway, and never resumed. Its journal has a name like the
	// journals of jobs.
	ctx, cancel := context.WithCancel(t.Context())
	cancelHalfway := storage.WithProgress(func(transferred, _ int64) {
		if transferred > 50 {
			cancel()
		}
	})
	journal := filepath.Join(journals, strings.Repeat("0", 32)+".upload")
	_, err := b.Upload(ctx, "removed meanwhile", file(strings.Repeat("x", 100)), storage.WithPartSize(10),
		storage.WithConcurrency(1), storage.WithResume(journal), cancelHalfway)
	require.ErrorIs(t, err, storage.Canceled)

	// After six days, the job keeps the canceled upload.
	uploadAfter(6 * day)
	require.Zero(t, recorder.count("AbortParts"))
	require.Len(t, keptUploads(t, journals), 1)

	// After eight days, it aborts the upload and removes its journal.
	uploadAfter(8 * day)
	require.Equal(t, 1, recorder.count("AbortParts"))
	require.Empty(t, keptUploads(t, journals))
}

// A job with WithResume fails before it transfers a file if it cannot create the given directory.
func TestWithResumeInvalidDirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"file": "x"})
	tests := []struct {
		name, resumeDir string
	}{
		{name: "none", resumeDir: ""},
		{name: "a file", resumeDir: filepath.Join(dir, "file")},
		{name: "below a file", resumeDir: filepath.Join(dir, "file", "kept")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithResume(tt.resumeDir))
			require.Error(t, err)
			require.NotEmpty(t, storage.CodeOf(err))
			require.Zero(t, report.Transferred)
		})
	}
}
