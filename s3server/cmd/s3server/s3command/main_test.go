package s3command

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A running is a server that runs, and what it has printed.
type running struct {
	t      *testing.T
	url    string
	stderr *buffer
	cancel func()
	ended  chan error
}

// A buffer may be written and read by several goroutines at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// parseFlags returns the flags of a command line.
func parseFlags(t *testing.T, args ...string) *Flags {
	t.Helper()
	f := &Flags{Listen: "127.0.0.1:0"}
	set := flag.NewFlagSet(t.Name(), flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f.RegisterHosts(set)
	f.Register(set)
	require.NoError(t, set.Parse(args))
	return f
}

// environment returns a lookup of environment variables. pairs are their names, each followed by its value.
func environment(pairs ...string) func(name string) (value string, exists bool) {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, exists := values[name]
		return value, exists
	}
}

// startServer serves from memory until the test ends.
func startServer(t *testing.T, lookup func(string) (string, bool), args ...string) *running {
	t.Helper()
	return startServerOver(t, nil, lookup, args...)
}

// startServerOver serves the buckets of service until the test ends. It returns when the server is ready.
func startServerOver(
	t *testing.T, service driver.ServiceDriver, lookup func(string) (string, bool), args ...string,
) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{t: t, stderr: &buffer{}, cancel: cancel, ended: make(chan error, 1)}

	// The server sends its URL when it is ready, or an error when it has ended.
	ready := make(chan string, 1)
	f := parseFlags(t, args...)
	go func() {
		s.ended <- f.Serve(ctx, Environment{
			Err:    s.stderr,
			Lookup: lookup,
			Ready: func(url string) {
				ready <- url
			},
		}, service)
	}()

	select {
	case s.url = <-ready:
	case err := <-s.ended:
		cancel()
		t.Fatalf("the server did not start: %v", err)
	}
	t.Cleanup(s.stop)
	return s
}

// stop ends the server, once.
func (s *running) stop() {
	s.cancel()
	if s.ended != nil {
		require.NoError(s.t, <-s.ended)
	}
	s.ended = nil
}

// export puts the lines that the server printed for a shell into the environment.
func (s *running) export() (exported map[string]string) {
	s.t.Helper()
	exported = map[string]string{}
	for line := range strings.Lines(s.stderr.String()) {
		if assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			exported[name] = value // quoted if it needs it
			s.t.Setenv(name, exported[name])
		}
	}
	return exported
}

// newClient returns a client that knows only the environment.
func newClient(t *testing.T) *s3.Client {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	c, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	return s3.NewFromConfig(c)
}

// putObject stores an object.
func putObject(t *testing.T, c *s3.Client, bucket, key, text string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket,
		Key:    &key,
		Body:   strings.NewReader(text),
	})
	require.NoError(t, err)
}

// getObject returns the content of an object.
func getObject(t *testing.T, c *s3.Client, bucket, key string) string {
	t.Helper()
	output, err := c.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String(key),
	})
	require.NoError(t, err)
	defer output.Body.Close()
	text, err := io.ReadAll(output.Body)
	require.NoError(t, err)
	return string(text)
}

// sendUnsigned sends a request without a signature on a new connection.
func sendUnsigned(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := c.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}
