package s3command

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// The server prints all that a client needs to connect, and makes the buckets that the flags name.
func TestServePrintsWhatClientNeeds(t *testing.T) {
	server := startServer(t, environment(), "--create", "photos,other", "--create", "third")

	// The server prints its URL and new keys. The keys are as long as those of AWS.
	exported := server.export()
	require.Equal(t, server.url, exported["AWS_ENDPOINT_URL"])
	require.Len(t, exported["AWS_ACCESS_KEY_ID"], 20)
	require.Len(t, exported["AWS_SECRET_ACCESS_KEY"], 40)

	// The secret key is printed only once.
	secretCount := strings.Count(server.stderr.String(), exported["AWS_SECRET_ACCESS_KEY"])
	require.Equal(t, 1, secretCount)

	// A client can connect with the printed variables only.
	c := newClient(t)
	putObject(t, c, "photos", "a/b.txt", "hello")
	require.Equal(t, "hello", getObject(t, c, "photos", "a/b.txt"))
	list, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Len(t, list.Buckets, 3)

	// Anonymous requests are refused.
	status, body := sendUnsigned(t, http.MethodGet, server.url+"/photos/a/b.txt")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, "<Code>AccessDenied</Code>")
}

// The notifications of a bucket reach the webhook even if the ARN in their configuration has
// MinIO's form.
func TestServeMinIOWebhook(t *testing.T) {
	received := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	defer hook.Close()
	server := startServer(t, environment(),
		"--create", "photos",
		"--webhook", hook.URL,
		"--event-target", "arn:minio:sqs::*:webhook",
		"--lifecycle-day", "1h",
	)
	server.export()
	c := newClient(t)

	// When the configuration is set, the webhook receives a test event.
	queue := types.QueueConfiguration{
		QueueArn: aws.String("arn:minio:sqs::1:webhook"),
		Events:   []types.Event{"s3:ObjectCreated:*"},
	}
	_, err := c.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: aws.String("photos"),
		NotificationConfiguration: &types.NotificationConfiguration{
			QueueConfigurations: []types.QueueConfiguration{queue},
		},
	})
	require.NoError(t, err)
	require.Contains(t, <-received, "s3:TestEvent")

	// A write causes an event.
	putObject(t, c, "photos", "k", "hello")
	require.Contains(t, <-received, "ObjectCreated:Put")
}

// Without credentials in the environment, each call generates new ones.
func TestServeGeneratesCredentials(t *testing.T) {
	first, err := findCredential(environment())
	require.NoError(t, err)
	second, err := findCredential(environment())
	require.NoError(t, err)

	require.True(t, first.generated)
	require.NotEqual(t, first.AccessKeyID, second.AccessKeyID)
	require.NotEqual(t, first.SecretKey, second.SecretKey)
}

// The server takes its credentials from the environment.
func TestServeCredentialsOfEnvironment(t *testing.T) {
	tests := []struct {
		name      string
		lookup    func(string) (string, bool)
		want      s3server.Credential
		wantError string // the missing variable that the error names, or ""
	}{
		{
			name:   "AWS",
			lookup: environment("AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s"),
			want:   s3server.Credential{AccessKeyID: "a", SecretKey: "s"},
		},
		{
			name: "AWS, temporary",
			lookup: environment("AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s",
				"AWS_SESSION_TOKEN", "t"),
			want: s3server.Credential{AccessKeyID: "a", SecretKey: "s", SessionToken: "t"},
		},
		{
			name:   "MinIO",
			lookup: environment("MINIO_ROOT_USER", "u", "MINIO_ROOT_PASSWORD", "p"),
			want:   s3server.Credential{AccessKeyID: "u", SecretKey: "p"},
		},
		{
			name:   "MinIO before 2021",
			lookup: environment("MINIO_ACCESS_KEY", "u", "MINIO_SECRET_KEY", "p"),
			want:   s3server.Credential{AccessKeyID: "u", SecretKey: "p"},
		},
		{
			name: "MinIO and AWS, of which MinIO has precedence",
			lookup: environment("MINIO_ROOT_USER", "u", "MINIO_ROOT_PASSWORD", "p", "AWS_ACCESS_KEY_ID",
				"a", "AWS_SECRET_ACCESS_KEY", "s", "AWS_SESSION_TOKEN", "t"),
			want: s3server.Credential{AccessKeyID: "u", SecretKey: "p"},
		},
		{
			name: "MinIO empty, AWS",
			lookup: environment("MINIO_ROOT_USER", "", "MINIO_ROOT_PASSWORD", "", "AWS_ACCESS_KEY_ID",
				"a", "AWS_SECRET_ACCESS_KEY", "s"),
			want: s3server.Credential{AccessKeyID: "a", SecretKey: "s"},
		},
		{
			name:      "key without a secret",
			lookup:    environment("AWS_ACCESS_KEY_ID", "a"),
			want:      s3server.Credential{},
			wantError: "AWS_SECRET_ACCESS_KEY",
		},
		{
			name:      "password without a user",
			lookup:    environment("MINIO_ROOT_PASSWORD", "password"),
			want:      s3server.Credential{},
			wantError: "MINIO_ROOT_USER",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findCredential(tt.lookup)
			if tt.wantError != "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, tt.wantError)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Credential)
			require.False(t, got.generated)
		})
	}
}

// The server does not print credentials that come from the environment.
func TestServeHidesCredentialsOfEnvironment(t *testing.T) {
	credentials := environment("AWS_ACCESS_KEY_ID", "me", "AWS_SECRET_ACCESS_KEY", "secret-of-mine")
	server := startServer(t, credentials, "--create", "photos")
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-mine")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ENDPOINT_URL", server.url)
	putObject(t, newClient(t), "photos", "a", "x")

	server.stop()
	require.Empty(t, server.stderr.String())
}

// While the server runs, the ready file has its URL. The file stays even if another server with the
// same ready file fails to start.
func TestServeReadyFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ready")
	server := startServer(t, environment(), "--ready-file", name)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, server.url+"\n", string(text))

	// Another server fails, because the port is in use.
	otherFlags := parseFlags(t, "--ready-file", name)
	otherFlags.Listen = strings.TrimPrefix(server.url, "http://")
	require.Error(t, otherFlags.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, nil))
	require.FileExists(t, name)

	server.stop()
	require.NoFileExists(t, name)
}

// An interrupted server accepts no new connection, but waits for the requests in progress.
func TestServeEndsAfterRequests(t *testing.T) {
	server := startServer(t, environment(), "--create", "photos")
	server.export()
	presigned, err := s3.NewPresignClient(newClient(t)).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String("slow"),
	})
	require.NoError(t, err)

	// Begin a PutObject whose body the test sends in two parts.
	body, sender := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, presigned.URL, body)
	require.NoError(t, err)
	r.ContentLength = 2
	r.Header.Set("Expect", "100-continue") // the client sends the body when the server reads it
	status := startRequest(r)
	_, err = io.WriteString(sender, "a")
	require.NoError(t, err)

	// Interrupt the server between the two parts.
	server.cancel()
	address := strings.TrimPrefix(server.url, "http://")
	refusesConnections := func() bool {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return true
		}
		_ = connection.Close()
		return false
	}
	require.Eventually(t, refusesConnections, time.Minute, time.Millisecond)

	// The request still succeeds.
	_, err = io.WriteString(sender, "b")
	require.NoError(t, err)
	require.NoError(t, sender.Close())
	require.Equal(t, http.StatusOK, <-status)
	server.stop()
}

// startRequest sends a request in the background, and returns a channel that receives the status of its response, or 0
// if the request fails.
func startRequest(r *http.Request) <-chan int {
	status := make(chan int, 1)
	go func() {
		c := http.Client{Transport: &http.Transport{
			DisableKeepAlives:     true,
			ExpectContinueTimeout: time.Minute,
		}}
		response, err := c.Do(r)
		if err != nil {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	return status
}

// Serve refuses flags that are invalid, contradict each other, or need another flag.
func TestServeContradictoryFlags(t *testing.T) {
	tests := []struct {
		name string
		args []string
	}{
		{name: "invalid name of a bucket", args: []string{"--create", "No_Name"}},
		{name: "certificate without key", args: []string{"--cert", "c.pem"}},
		{name: "key without certificate", args: []string{"--key", "k.pem"}},
		{name: "two certificates", args: []string{"--tls", "--cert", "c.pem", "--key", "k.pem"}},
		{name: "file for no certificate", args: []string{"--ca-file", "ca.pem"}},
		{name: "target without webhook", args: []string{"--event-target", "arn:aws:sns:*:events"}},
		{name: "negative day", args: []string{"--webhook", "http://localhost", "--lifecycle-day", "-1s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := parseFlags(t, tt.args...)

			err := f.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, nil)

			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// If the server cannot listen at the address of the metrics, it also stops listening at the address
// of S3.
func TestServeSecondAddressFails(t *testing.T) {
	listen := func(address string) net.Listener {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		require.NoError(t, err)
		return listener
	}
	busy := listen("127.0.0.1:0")
	defer busy.Close()
	free := listen("127.0.0.1:0")
	require.NoError(t, free.Close())

	f := parseFlags(t, "--metrics", busy.Addr().String())
	f.Listen = free.Addr().String()
	err := f.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, nil)
	require.ErrorContains(t, err, "address already in use")

	// The address of S3 is free again.
	require.NoError(t, listen(f.Listen).Close())
}

// The flag --max-bytes limits the bytes of all objects in memory.
func TestServeMemoryLimit(t *testing.T) {
	content := strings.Repeat("x", 1000) // fits once
	server := startServer(t, environment(), "--create", "photos", "--max-bytes", "1KiB")
	server.export()
	c := newClient(t)
	putObject(t, c, "photos", "a", content)

	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("photos"),
		Key:    aws.String("b"),
		Body:   strings.NewReader(content),
	})

	require.ErrorContains(t, err, "XMinioStorageFull")
}

// A size in a flag is a positive whole number, which can have a unit, such as MiB.
func TestSizeSet(t *testing.T) {
	tests := []struct {
		text string
		want size
	}{
		{text: "1", want: 1},
		{text: "7B", want: 7},
		{text: "2KiB", want: 2048},
		{text: "3 MiB", want: 3 << 20},
		{text: "1GiB", want: 1 << 30},
		{text: "5MB", want: 5e6},
		{text: "1kB", want: 1000},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			var got size
			require.NoError(t, got.Set(tt.text))
			require.Equal(t, tt.want, got)
		})
	}

	// The number 9999999999GiB is too large for an int64.
	invalid := []string{"", "0", "-1", "1.5GiB", "x", "GiB", "9999999999GiB", "1KiBB"}
	for _, text := range invalid {
		t.Run("invalid "+text, func(t *testing.T) {
			var got size
			require.Error(t, got.Set(text))
		})
	}
}

// The program quotes values so that a shell reads each as one word.
func TestQuotedIsOneWordOfShell(t *testing.T) {
	require.Equal(t, "http://127.0.0.1:9000", quoted("http://127.0.0.1:9000"))
	require.Equal(t, `'it'\''s'`, quoted("it's"))
	require.Equal(t, `'$(a)'`, quoted("$(a)"))
}

// If a server runs over a directory, its objects are files in the directory. A later server over
// the directory has them, too.
func TestServeDirectorySurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	credentials := environment("AWS_ACCESS_KEY_ID", "me", "AWS_SECRET_ACCESS_KEY", "mine")
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "mine")
	t.Setenv("AWS_REGION", "us-east-1")
	startOverDir := func() *running {
		service, err := local.NewServiceDriver(dir, local.Config{Create: true})
		require.NoError(t, err)
		server := startServerOver(t, service, credentials, "--create", "photos")
		t.Setenv("AWS_ENDPOINT_URL", server.url)
		return server
	}

	// The key of the object is the path of its file.
	server := startOverDir()
	putObject(t, newClient(t), "photos", "a/b.txt", "hello")
	server.stop()
	text, err := os.ReadFile(filepath.Join(dir, "photos", "a", "b.txt"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))

	// Another server over the directory finds the object.
	startOverDir()
	require.Equal(t, "hello", getObject(t, newClient(t), "photos", "a/b.txt"))
}

// Serve fails if it cannot create a bucket that the flags name. Here, a file has the name of the
// bucket's directory.
func TestServeBucketCannotBeCreated(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "photos"), nil, 0o600))
	service, err := local.NewServiceDriver(dir, local.Config{})
	require.NoError(t, err)
	f := parseFlags(t, "--create", "photos")

	err = f.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, service)

	require.ErrorContains(t, err, "photos")
}

// With --admin, the server has an admin API for callers with a token. It generates the token, or
// takes it from the environment.
func TestServeAdminAPINeedsToken(t *testing.T) {
	const faults = "/_admin/faults"

	t.Run("generated token", func(t *testing.T) {
		server := startServer(t, environment(), "--create", "photos", "--admin")
		token := server.export()["S3_ADMIN_TOKEN"]
		require.Len(t, token, 26, "a generated token has 26 characters")

		// The API refuses a caller without the token.
		status, _ := sendUnsigned(t, http.MethodGet, server.url+faults)
		require.Equal(t, http.StatusUnauthorized, status)

		// With the token, a caller can inject a fault.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.url+faults,
			strings.NewReader(`{"operation":"HeadBucket","error":"AccessDenied"}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusCreated, response.StatusCode)

		// The fault has an effect on clients.
		_, err = newClient(t).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("photos")})
		require.ErrorContains(t, err, "403")
	})

	t.Run("token of the environment", func(t *testing.T) {
		server := startServer(t, environment("S3_ADMIN_TOKEN", "my-token"), "--admin")
		require.NotContains(t, server.stderr.String(), "my-token")
	})

	t.Run("no flag", func(t *testing.T) {
		server := startServer(t, environment())
		status, _ := sendUnsigned(t, http.MethodGet, server.url+faults)
		require.NotEqual(t, http.StatusUnauthorized, status, "there must be no admin API")
	})
}
