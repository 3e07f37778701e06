package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// startServerWithoutUnderscores makes "box:" a bucket on a server that returns "-" for each "_" in
// the names of metadata. Ceph before Quincy does this.
func startServerWithoutUnderscores(t *testing.T, s *shell) {
	t.Helper()
	server := s.startS3Location("box", s3server.Config{})
	behind, err := url.Parse(server.URL)
	require.NoError(t, err)
	transport := &http.Transport{}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: func(r *http.Response) error {
			for name, values := range r.Header {
				if strings.HasPrefix(name, "X-Amz-Meta-") {
					delete(r.Header, name)
					r.Header[http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))] = values
				}
			}
			return nil
		},
	})
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	s.setLocation("box", strings.Replace(s.addressOf("box"), url.QueryEscape(server.URL), url.QueryEscape(proxy.URL), 1))
}

// If a server returns "-" for "_" in names of metadata, the profile of the server restores the
// names. The library's own metadata is never shown.
func TestMetadataRenamedByTheServer(t *testing.T) {
	s := newShell(t)
	// The server of "box:" returns "-" for "_". "ceph:" is the same bucket with the profile ceph.
	startServerWithoutUnderscores(t, s)
	s.setLocation("ceph", s.addressOf("box")+"&profile=ceph")

	tests := []struct {
		name   string
		bucket string
		want   map[string]string
	}{
		{name: "with a profile", bucket: "ceph:", want: map[string]string{"owner_id": "7", "a-b": "c"}},
		{name: "without a profile", bucket: "box:", want: map[string]string{"owner-id": "7", "a-b": "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			// An upload of this size has several parts, for which the library adds metadata of its own.
			s.stdin = strings.Repeat("x", 17<<20)

			s.run("cp", "--metadata", "owner_id=7", "--metadata", "a-b=c", "-", tt.bucket+"a")
			require.Equal(t, tt.want, statOf(s, tt.bucket+"a").Metadata)
			s.run("cp", tt.bucket+"a", tt.bucket+"copy")
			require.Equal(t, tt.want, statOf(s, tt.bucket+"copy").Metadata)
		})
	}
}

// startSilentServer returns the address of a server that accepts connections and never responds.
func startSilentServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
		}
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// If a server does not respond, each command ends with an error soon.
func TestSilentServerIsGivenUp(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	address := startSilentServer(t) // it accepts connections, but sends nothing

	for name, bucket := range map[string]string{
		"s3":     "s3://photos?region=us-east-1&path_style=true&endpoint=" + address,
		"gs":     "gs://photos?anonymous=true&endpoint=" + address,
		"azblob": "azblob://photos?account=me&anonymous=true&endpoint=" + address + "/me",
	} {
		s.setLocation("box", bucket)
		for _, args := range [][]string{
			{"ls", "box:"},
			{"cat", "box:a"},
			{"stat", "box:a"},
			{"cp", filepath.Join(dir, "a"), "box:a"},
			{"rm", "-r", "box:a"},
			{"sync", dir, "box:a"},
			{"bucket", "box:"},
		} {
			start := time.Now()
			_, stderr := s.requireExit(exitFailure, append(args, "--timeout", "100ms", "--retries", "0")...)
			require.Contains(t, stderr, "unavailable", "%s: %q", name, args)
			require.Less(t, time.Since(start), 25*time.Second, "%s: %q", name, args)
		}
	}
}

// --retries is the number of attempts after the first one.
func TestRetriesAreCounted(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	server.Inject(s3server.Fail("GetObject", "InternalError"))

	tests := []struct {
		retries      string
		wantRequests int
	}{
		{retries: "0", wantRequests: 1},
		{retries: "2", wantRequests: 3},
	}
	for _, tt := range tests {
		server.Reset()
		s.requireExit(exitFailure, "cat", "--retries", tt.retries, "box:a")
		require.Equal(t, tt.wantRequests, server.Count("GetObject"))
	}
}

// Negative or malformed values of --retries and --timeout are refused.
func TestRetriesAndTimeoutRefused(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	for _, flags := range [][]string{
		{"--retries", "-1"},
		{"--retries", "x"},
		{"--timeout", "0"},
		{"--timeout", "-1s"},
		{"--timeout", "5"},
	} {
		s.requireExit(exitUsage, append(flags, "ls", "box:")...)
	}
}

// If the source changes while cp --if-absent reads it, cp exits with 1. The exit code of a failed condition would tell
// a script that the target exists.
func TestCpSourceChangeIsNoFailedCondition(t *testing.T) {
	s := newShell(t)
	sourceServer := s.startS3Location("source", s3server.Config{})
	s.startS3Location("target", s3server.Config{})
	// With this profile, both locations support conditions.
	s.addParameter("source", "profile=minio")
	s.addParameter("target", "profile=minio")
	s.put("source:a", "a")

	// From here on, each read of the source fails as if the object had changed.
	sourceServer.Inject(s3server.Fail("GetObject", "PreconditionFailed"))

	for _, target := range []string{"target:a", newMemoryAddress(t) + "/a", newDirectoryAddress(t) + "#a"} {
		_, stderr := s.requireExit(exitFailure, "cp", "--if-absent", "source:a", target)
		require.Contains(t, stderr, "changed")
		s.requireExit(exitNotFound, "stat", target)
	}
	s.requireExit(exitFailure, "mv", "--if-absent", "source:a", "target:a")

	// mv has not removed the source. Without the fault, it can be read again.
	sourceServer.ClearFaults()
	require.Equal(t, "a", s.run("cat", "source:a"))

	// The condition fails only if the target exists. It exists after this copy.
	s.run("cp", "--if-absent", "source:a", "target:a")
	s.requireExit(exitPrecondition, "cp", "--if-absent", "source:a", "target:a")
}

// startGCSLocation starts a server with Google's protocol. Its responses depend on the path and on
// the parameter prefix. startGCSLocation makes the location a bucket of the server.
func (s *shell) startGCSLocation(name string, respond func(path, prefix string) (status int, body string)) {
	s.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := respond(r.URL.Path, r.URL.Query().Get("prefix"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	s.t.Cleanup(server.Close)
	s.setLocation(name, "gs://photos?anonymous=true&endpoint="+server.URL)
}

// If a server returns "a/" both as an object and as a prefix, as Google's test server does, ls prints it once.
func TestLsFolderBesideAnObject(t *testing.T) {
	s := newShell(t)
	// item returns the JSON of an object, as in a response of the server.
	item := func(name string) string {
		return `{"name":"` + name + `","bucket":"photos","size":"0","generation":"1","metageneration":"1",` +
			`"updated":"2026-11-21T08:00:00Z"}`
	}
	s.startGCSLocation("box", func(_, prefix string) (int, string) {
		// The folder a/ has its marker a/ and the object a/x.
		if strings.HasPrefix(prefix, "a/") {
			return http.StatusOK, `{"kind":"storage#objects","items":[` + item("a/") + `,` + item("a/x") + `]}`
		}
		// The bucket has a/ as an object and as a prefix, and the object b.
		return http.StatusOK, `{"kind":"storage#objects","items":[` + item("a/") + `,` + item("b") + `],"prefixes":["a/"]}`
	})
	require.Equal(t, "a/\nb\n", s.run("ls", "box:"))
	require.Equal(t, ".\n├── a/\n│   └── x\n└── b\n", s.run("tree", "box:"))
	require.Equal(t, "a/x\n", s.run("ls", "box:*/x"))
}

// The error for a missing object says that the object is missing, even if the server's message or the key names a bucket.
func TestMissingObjectIsNoMissingBucket(t *testing.T) {
	s := newShell(t)
	s.startGCSLocation("box", func(path, _ string) (int, string) {
		if path == "/storage/v1/b/photos" || path == "/storage/v1/b/photos/o" {
			return http.StatusOK, `{"kind":"storage#bucket","name":"photos"}`
		}
		return http.StatusNotFound, `{"error":{"code":404,"message":"Live version of object b/my-bucket does not exist."}}`
	})

	for _, args := range [][]string{
		{"stat", "box:my-bucket"},
		{"cat", "box:bucket does not exist"},
	} {
		_, stderr := s.requireExit(exitNotFound, args...)
		require.Contains(t, stderr, "object not found")
	}
}

// If the key of --start-after is before the folder, ls does not send the key. Some servers would
// then list nothing.
func TestLsStartBeforeTheFolder(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	s.put("box:a/1", "x")
	server.Reset()

	require.Equal(t, "a/1\n", s.run("ls", "--start-after", "a", "box:a/"))
	for _, req := range server.Requests() {
		require.Empty(t, req.Query.Get("start-after"))
	}
}

// If the credentials service fails temporarily, the error is "unavailable" and not "unauthenticated".
func TestCredentialsServiceFails(t *testing.T) {
	s := newShell(t)
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(sts.Close)

	// The profile app takes temporary credentials from this service.
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"config":      "[profile app]\nrole_arn = arn:aws:iam::123456789012:role/app\nsource_profile = own\nregion = eu-west-1\n",
		"credentials": "[own]\naws_access_key_id = key\naws_secret_access_key = secret\n",
	})
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_PROFILE", "app")
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")

	// t.Setenv makes the test restore the variable that is then removed.
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}

	_, stderr := s.requireExit(exitFailure, "cat", "--retries", "0", "s3://photos/a")
	require.Contains(t, stderr, "unavailable")
	require.NotContains(t, stderr, "unauthenticated")
}

// sign takes the region from the name of an Amazon host, in any partition of AWS.
func TestSignForHostsOfAmazon(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	tests := []struct{ host, region string }{
		{host: "s3-us-west-2.amazonaws.com", region: "us-west-2"},
		{host: "s3.eusc-de-east-1.amazonaws.eu", region: "eusc-de-east-1"},
		{host: "s3.us-iso-east-1.c2s.ic.gov", region: "us-iso-east-1"},
	}
	for _, tt := range tests {
		u, err := url.Parse(strings.TrimSpace(s.run("sign", "s3://photos/a?endpoint=https://"+tt.host)))
		require.NoError(t, err)
		require.Contains(t, u.Query().Get("X-Amz-Credential"), "/"+tt.region+"/s3/")
	}
}
