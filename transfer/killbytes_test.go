package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

// largeKills names an environment variable. If it is set, killed transfers also use files of 200
// and 400 MB.
const largeKills = "OMNIBUCKET_LARGE_KILLS"

// A countedJob is a directory for the transfer of a large file from or to an S3 server. The process
// that transfers the file is killed, and the server counts the bytes.
type countedJob string

func (c countedJob) tree() string   { return filepath.Join(string(c), "tree") }
func (c countedJob) down() string   { return filepath.Join(string(c), "down") }
func (c countedJob) kept() string   { return filepath.Join(string(c), "kept") }
func (c countedJob) server() string { return filepath.Join(string(c), "server") }

// countedWays are the two transfers. The upload has WithResume, and all other options have their
// defaults.
var countedWays = map[string]func(ctx context.Context, c countedJob, b storage.Bucket) error{
	"upload": func(ctx context.Context, c countedJob, b storage.Bucket) error {
		_, err := transfer.Upload(ctx, b, c.tree(), transfer.WithResume(c.kept()))
		return err
	},
	"upload file": func(ctx context.Context, c countedJob, b storage.Bucket) error {
		_, err := storage.UploadFile(ctx, b, "large", filepath.Join(c.tree(), "large"),
			storage.WithResume(c.kept()))
		return err
	},
	"download": func(ctx context.Context, c countedJob, b storage.Bucket) error {
		_, err := transfer.Download(ctx, b, c.down())
		return err
	},
	"download file": func(ctx context.Context, c countedJob, b storage.Bucket) error {
		_, err := storage.DownloadFile(ctx, b, "large", filepath.Join(c.down(), "large"))
		return err
	},
}

// runCounted runs one transfer. The argument job is a name in countedWays, a colon and the
// directory.
func runCounted(job string) error {
	way, dir, _ := strings.Cut(job, ":")
	c := countedJob(dir)
	endpoint, err := os.ReadFile(c.server())
	if err != nil {
		return err
	}
	b, err := openCounted(context.Background(), string(endpoint))
	if err != nil {
		return err
	}
	return countedWays[way](context.Background(), c, b)
}

// openCounted opens the bucket over connections for which the kernel keeps few bytes, because the server does not count
// bytes that are still in the kernel.
func openCounted(ctx context.Context, endpoint string) (storage.Bucket, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return conn, err
	}
	return s3.Open(ctx, s3.Config{
		Bucket:      "photos",
		Endpoint:    endpoint,
		PathStyle:   aws.Bool(true),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Region:      s3server.DefaultRegion,
		HTTPClient:  &http.Client{Transport: transport},
	})
}

// A countingServer counts the bytes of bodies in both directions. When the count reaches the value
// of at, the server sends on the channel reached.
type countingServer struct {
	http.Handler
	bytes   atomic.Int64
	at      atomic.Int64
	reached chan struct{}
}

// startCounting starts a countingServer, which runs until the test ends. The kernel keeps few bytes for its
// connections, because bytes that the kernel holds are not received by the job.
func startCounting(t *testing.T, handler http.Handler) (s *countingServer, address string) {
	t.Helper()
	s = &countingServer{Handler: handler, reached: make(chan struct{}, 1)}
	server := httptest.NewUnstartedServer(s)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return s, server.URL
}

func (s *countingServer) add(n int) {
	if now, offset := s.bytes.Add(int64(n)), s.at.Load(); now >= offset && now-int64(n) < offset {
		s.reached <- struct{}{}
	}
}

func (s *countingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = &countedBody{r.Body, s}
	s.Handler.ServeHTTP(&countedResponse{w, s}, r)
}

type countedBody struct {
	io.ReadCloser
	s *countingServer
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.s.add(n)
	return n, err
}

type countedResponse struct {
	http.ResponseWriter
	s *countingServer
}

// Write counts the bytes of a response. It writes a large response in pieces, and counts the bytes
// of each piece when they are sent.
func (w *countedResponse) Write(p []byte) (written int, err error) {
	const pieceBytes = 64 << 10
	for len(p) > 0 && err == nil {
		n := 0
		n, err = w.ResponseWriter.Write(p[:min(len(p), pieceBytes)])
		w.s.add(n)
		written += n
		p = p[n:]
	}
	return written, err
}

// A job is killed in the middle of a large file. The next job transfers at most a tenth of the file
// again, or 16 MiB if that is more. No temporary files remain.
func TestJobKilledLosesLittle(t *testing.T) {
	testserver.Slow(t)
	const alwaysAllowed = 16 << 20 // bytes
	sizes := []int64{40e6, 100e6}
	if os.Getenv(largeKills) != "" {
		sizes = append(sizes, 200e6, 400e6)
	}
	for _, size := range sizes {
		for way := range countedWays { // uploads and downloads
			// The job is killed in the middle of the file, and near its end.
			for _, percent := range []int64{45, 94} {
				t.Run(fmt.Sprintf("%s of %d MB at %d %%", way, size/1e6, percent), func(t *testing.T) {
					// Kill the transfer after killAfter bytes, and let another process repeat it.
					killAfter := size * percent / 100
					repeated := killOnce(t, way, size, killAfter)
					require.LessOrEqual(t, repeated, max(alwaysAllowed, size/10))
				})
			}
		}
	}
}

// killOnce kills a transfer after killAfter bytes, and repeats it. It returns how many bytes were
// transferred twice.
func killOnce(t *testing.T, way string, size, killAfter int64) (again int64) {
	t.Helper()
	c := countedJob(t.TempDir())
	handler := s3server.New(s3server.Config{Strict: true, Buckets: []string{"photos"}})
	server, address := startCounting(t, handler)
	require.NoError(t, os.WriteFile(c.server(), []byte(address), 0o600))
	require.NoError(t, os.MkdirAll(c.tree(), 0o755))
	require.NoError(t, os.MkdirAll(c.down(), 0o755))
	large := newLargeFile(t, c, size)
	b, err := openCounted(t.Context(), address)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	if strings.HasPrefix(way, "download") {
		_, err := storage.UploadFile(t.Context(), b, "large", large)
		require.NoError(t, err)
	}

	server.bytes.Store(0)
	server.at.Store(killAfter)
	first := c.command(t, way)
	require.NoError(t, first.Start())
	<-server.reached

	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())
	if strings.HasPrefix(way, "download") {
		require.NotEmpty(t, temporaryFiles(t, c.down()), "the test has killed nothing")
	}
	data, err := c.command(t, way).CombinedOutput()
	require.NoError(t, err, string(data))

	again = server.bytes.Load() - size
	require.Empty(t, temporaryFiles(t, c.down()))
	require.NoFileExists(t, filepath.Join(c.kept(), "large"))
	require.Zero(t, handler.Count("AbortMultipartUpload"))

	got := filepath.Join(c.down(), "large")
	if strings.HasPrefix(way, "upload") {
		_, err := storage.DownloadFile(t.Context(), b, "large", got)
		require.NoError(t, err)
	}
	want, err := os.ReadFile(large)
	require.NoError(t, err)
	is, err := os.ReadFile(got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, is))
	return again
}

// command returns the command that makes one transfer in a child process. The child is this test binary.
func (c countedJob) command(t *testing.T, way string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"=counted:"+way+":"+string(c))
	return cmd
}

// newLargeFile makes a file of which no two megabytes are equal.
func newLargeFile(t *testing.T, c countedJob, size int64) (path string) {
	t.Helper()
	path = filepath.Join(c.tree(), "large")
	f, err := os.Create(path)
	require.NoError(t, err)
	block := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(block)) {
		for i := 0; i < len(block); i += 64 {
			block[i]++
		}
		block[off>>20]++
		_, err := f.WriteAt(block[:min(int64(len(block)), size-off)], off)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	return path
}

// temporaryFiles returns the paths of the temporary files at the top of dir.
func temporaryFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".omnibucket-*"))
	require.NoError(t, err)
	return names
}
