package s3command

import (
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The server takes the arguments of MinIO, whose command is "server" and whose flags may be anywhere.
func TestMinIOArguments(t *testing.T) {
	tests := []struct {
		name        string
		args        string
		wantListen  string
		wantConsole string   // the address of the console
		wantRest    []string // the arguments that are left, such as the directory
		wantMinio   bool     // true if the arguments are those of MinIO
	}{
		{name: "arguments of this program", args: "/data", wantListen: "127.0.0.1:9000", wantRest: []string{"/data"}},
		{name: "no arguments", wantListen: "127.0.0.1:9000"},
		{
			name:        "arguments of a compose file",
			args:        "server /data --console-address :9001",
			wantListen:  "127.0.0.1:9000",
			wantConsole: ":9001",
			wantRest:    []string{"/data"},
			wantMinio:   true,
		},
		{
			name:       "name of MinIO's program",
			args:       "minio server /data",
			wantListen: "127.0.0.1:9000",
			wantRest:   []string{"/data"},
			wantMinio:  true,
		},
		{
			name:       "flags before the directory",
			args:       "server --address :9005 --quiet /data",
			wantListen: ":9005",
			wantRest:   []string{"/data"},
			wantMinio:  true,
		},
		{
			name:        "flags with an equals sign",
			args:        "server --address=:9005 /data --console-address=:9006",
			wantListen:  ":9005",
			wantConsole: ":9006",
			wantRest:    []string{"/data"},
			wantMinio:   true,
		},
		{
			name:       "flag of this program",
			args:       "server /data --strict",
			wantListen: "127.0.0.1:9000",
			wantRest:   []string{"/data"},
			wantMinio:  true,
		},
		{name: "directory missing", args: "server", wantListen: "127.0.0.1:9000", wantMinio: true},
		{
			name:       "directory with the name minio",
			args:       "minio",
			wantListen: "127.0.0.1:9000",
			wantRest:   []string{"minio"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &Flags{}
			set := flag.NewFlagSet("", flag.ContinueOnError)
			set.SetOutput(io.Discard)
			set.StringVar(&f.Listen, "listen", DefaultListen, "")
			f.RegisterHosts(set)
			f.Register(set)
			require.NoError(t, set.Parse(strings.Fields(tt.args)))
			rest, err := f.ParseMinIO(set, set.Args())
			require.NoError(t, err)
			// If no argument is left, the returned list may be nil or empty.
			if len(tt.wantRest) > 0 || len(rest) > 0 {
				require.Equal(t, tt.wantRest, rest)
			}

			require.Equal(t, tt.wantListen, f.Listen)
			require.Equal(t, tt.wantConsole, f.console)
			require.Equal(t, tt.wantMinio, f.minio)
		})
	}
}

// The program accepts MinIO's environment variables, and prints once which ones it uses.
func TestMinIOVariables(t *testing.T) {
	server := startServer(t, environment(
		"MINIO_ROOT_USER", "user",
		"MINIO_ROOT_PASSWORD", "a-password",
		"MINIO_DOMAIN", "s3.test,other.test",
		"MINIO_SITE_REGION", "eu-west-1",
		"MINIO_DEFAULT_BUCKETS", "photos:download, private",
	))
	require.Equal(t, "# Settings of MinIO in use: MINIO_ROOT_USER, MINIO_ROOT_PASSWORD, MINIO_SITE_REGION, "+
		"MINIO_DOMAIN, MINIO_DEFAULT_BUCKETS\n", server.stderr.String())

	// A client uses the credentials and both buckets.
	t.Setenv("AWS_ACCESS_KEY_ID", "user")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-password")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ENDPOINT_URL", server.url)
	putObject(t, newClient(t), "photos", "a", "hello")
	putObject(t, newClient(t), "private", "a", "hello")

	// Everybody can read the bucket photos. Other anonymous access is refused.
	status, body := sendUnsigned(t, http.MethodGet, server.url+"/photos/a")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)

	status, _ = sendUnsigned(t, http.MethodPut, server.url+"/photos/b")
	require.Equal(t, http.StatusForbidden, status)
	status, _ = sendUnsigned(t, http.MethodGet, server.url+"/private/a")
	require.Equal(t, http.StatusForbidden, status)

	// The bucket may be in the host.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/a", nil)
	require.NoError(t, err)
	r.Host = "photos.s3.test"
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	// The server refuses another region.
	t.Setenv("AWS_REGION", "us-east-1")
	_, err = newClient(t).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("photos")})
	require.ErrorContains(t, err, "eu-west-1")
}

// Flags take precedence over MinIO's environment variables.
func TestMinIOVariablesYieldToFlags(t *testing.T) {
	f := parseFlags(t, "--region", "eu-west-1", "--domain", "mine.test")

	_, _, err := f.setFromMinIO(environment("MINIO_REGION", "us-west-2", "MINIO_DOMAIN", "other.test"))

	require.NoError(t, err)
	require.Equal(t, "eu-west-1", f.region)
	require.Equal(t, names{"mine.test"}, f.domains)
}

// Serve refuses an unknown permission in MINIO_DEFAULT_BUCKETS.
func TestMinIODefaultBucketUnknownPermission(t *testing.T) {
	err := parseFlags(t).Serve(t.Context(), Environment{
		Err:    io.Discard,
		Lookup: environment("MINIO_DEFAULT_BUCKETS", "photos:write"),
	}, nil)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, `none, download, upload or public, but is "write"`)
}

// With MinIO's arguments and no credentials, the server uses MinIO's default credentials.
func TestMinIODefaultCredentials(t *testing.T) {
	c := &command{
		flags: &Flags{minio: true, Listen: ":9000"},
		env:   Environment{Lookup: environment()},
	}

	require.NoError(t, c.readSettings())

	require.Equal(t, "minioadmin", c.credentials.AccessKeyID)
	require.Equal(t, "minioadmin", c.credentials.SecretKey)
	require.Empty(t, c.consoleAddress(), "no console with credentials that everybody knows")
}

// The server takes the certificate and key that MinIO would find in the directory of certificates, if they exist.
func TestMinIOCertificates(t *testing.T) {
	dir := t.TempDir()
	f := &Flags{certsDir: dir}

	f.takeCertificates()
	require.Empty(t, f.certFile)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "public.crt"), nil, 0o600))
	f.takeCertificates()
	require.Equal(t, filepath.Join(dir, "public.crt"), f.certFile)
	require.Equal(t, filepath.Join(dir, "private.key"), f.keyFile)
}

// Volumes returns the directory that MINIO_VOLUMES names, and refuses several directories and other servers.
func TestVolumes(t *testing.T) {
	volumes, err := Volumes(environment())
	require.NoError(t, err)
	require.Empty(t, volumes)

	volumes, err = Volumes(environment("MINIO_VOLUMES", " /data "))
	require.NoError(t, err)
	require.Equal(t, []string{"/data"}, volumes)

	refused := []string{"/a /b", "/data{1...4}", "http://minio{1...4}/data", "https://one/data"}
	for _, value := range refused {
		t.Run(value, func(t *testing.T) {
			_, err := Volumes(environment("MINIO_VOLUMES", value))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "one directory")
		})
	}
}

// findCredential refuses credentials that are only in a file that a variable of MinIO names.
// Otherwise, the server would take the default ones, which everybody knows.
func TestMinIOFilesWithCredentialsAreRefused(t *testing.T) {
	variables := []string{
		"MINIO_ROOT_USER_FILE",
		"MINIO_ROOT_PASSWORD_FILE",
		"MINIO_ACCESS_KEY_FILE",
		"MINIO_SECRET_KEY_FILE",
		"MINIO_CONFIG_ENV_FILE",
	}
	for _, name := range variables {
		t.Run(name, func(t *testing.T) {
			_, err := findCredential(environment(name, "secret"))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, name)

			// If the credentials are also in variables, the file is not needed.
			_, err = findCredential(environment(
				name, "secret",
				"MINIO_ROOT_USER", "user",
				"MINIO_ROOT_PASSWORD", "a-password",
			))
			require.NoError(t, err)
		})
	}
}
