package s3command

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local"
)

// manifestFile writes a manifest into a file, and returns its name.
func manifestFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "manifest.json")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// documentedManifest returns the manifest of the documentation.
func documentedManifest(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/s3server.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, block)
	return block[1]
}

// The server creates the users and buckets that the manifest lists, in memory and in a directory.
func TestManifestUsersAndBuckets(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{Create: true})
	require.NoError(t, err)
	tests := []struct {
		name    string
		service driver.ServiceDriver
	}{
		{name: "memory"},
		{name: "directory", service: directory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			manifest := manifestFile(t, documentedManifest(t))
			server := startServerOver(t, tt.service, environment(), "--manifest", manifest)
			server.export()

			// The buckets have their settings.
			root := newClient(t)
			versioning, err := root.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{
				Bucket: aws.String("photos"),
			})
			require.NoError(t, err)
			require.Equal(t, "Enabled", string(versioning.Status))
			_, err = root.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
				Bucket: aws.String("locked"),
			})
			require.NoError(t, err)

			// Everybody can read the site.
			putObject(t, root, "site", "index.html", "hello")
			putObject(t, root, "photos", "of-root", "hello")
			status, _ := sendUnsigned(t, http.MethodGet, server.url+"/site/index.html")
			require.Equal(t, http.StatusOK, status)

			// The policy allows the user app to write to photos, but not to read.
			t.Setenv("AWS_ACCESS_KEY_ID", "app")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "app-secret")
			app := newClient(t)
			putObject(t, app, "photos", "a", "of the app")
			_, err = app.GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String("photos"),
				Key:    aws.String("of-root"),
			})
			require.ErrorContains(t, err, "AccessDenied")

			// The user reader can only read.
			t.Setenv("AWS_ACCESS_KEY_ID", "reader")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "reader-secret")
			reader := newClient(t)
			require.Equal(t, "hello", getObject(t, reader, "site", "index.html"))
			_, err = reader.DeleteObject(t.Context(), &s3.DeleteObjectInput{
				Bucket: aws.String("site"),
				Key:    aws.String("index.html"),
			})
			require.ErrorContains(t, err, "AccessDenied")
		})
	}
}

// A manifest with an unknown or invalid field is refused.
func TestManifestIsReadStrictly(t *testing.T) {
	tests := []struct{ name, text, wantMessage string }{
		{
			name:        "unknown field",
			text:        `{"bukets": []}`,
			wantMessage: `the manifest has no field "bukets": it can have users, buckets`,
		},
		{name: "field in another case", text: `{"Buckets": []}`, wantMessage: `no field "Buckets"`},
		{
			name:        "unknown field of a bucket",
			text:        `{"buckets": [{"name": "photos", "public": true}]}`,
			wantMessage: `a bucket has no field "public": it can have name, versioning, objectLock, anonymous, policy`,
		},
		{
			name:        "unknown field of a user",
			text:        `{"users": [{"accessKey": "a"}]}`,
			wantMessage: `a user has no field "accessKey": it can have accessKeyId, secretKey, sessionToken, account, readOnly`,
		},
		{
			name:        "user without a secret",
			text:        `{"users": [{"accessKeyId": "a"}]}`,
			wantMessage: "users[0] must have accessKeyId and secretKey",
		},
		{
			name:        "user named twice",
			text:        `{"users": [{"accessKeyId": "a", "secretKey": "b"}, {"accessKeyId": "a", "secretKey": "c"}]}`,
			wantMessage: `but "a" is that of another user or of the server`,
		},
		{
			name:        "user with the key of the server",
			text:        `{"users": [{"accessKeyId": "root", "secretKey": "b"}]}`,
			wantMessage: `but "root" is that of another user or of the server`,
		},
		{
			name:        "invalid account",
			text:        `{"users": [{"accessKeyId": "a", "secretKey": "b", "account": "other"}]}`,
			wantMessage: `account must have 12 digits, but is "other"`,
		},
		{
			name:        "bucket named twice",
			text:        `{"buckets": [{"name": "photos"}, {"name": "photos", "versioning": true}]}`,
			wantMessage: `"photos" is there twice`,
		},
		{
			name:        "field named twice",
			text:        `{"users": [], "users": []}`,
			wantMessage: `the manifest has "users" twice`,
		},
		{name: "user is not an object", text: `{"users": ["a"]}`, wantMessage: "a user must be an object"},
		{name: "buckets are not a list", text: `{"buckets": "photos"}`, wantMessage: "cannot unmarshal string"},
		{name: "text after the end", text: `{} {}`, wantMessage: "after top-level value"},
		{name: "manifest is not JSON", text: `users:`, wantMessage: "--manifest must name a JSON file"},
		{
			name:        "unknown permission",
			text:        `{"buckets": [{"name": "photos", "anonymous": "all"}]}`,
			wantMessage: `but is "all"`,
		},
		{
			name:        "permission and policy",
			text:        `{"buckets": [{"name": "photos", "anonymous": "public", "policy": {}}]}`,
			wantMessage: "exclude each other",
		},
		{name: "invalid name of a bucket", text: `{"buckets": [{"name": "No_Name"}]}`, wantMessage: `"No_Name"`},
		{
			name:        "invalid policy",
			text:        `{"buckets": [{"name": "photos", "policy": {"Version": "2012-10-17"}}]}`,
			wantMessage: "policy of bucket photos must be valid",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// If the manifest is accepted by mistake, the server stops at once.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stop := func(string) { cancel() }

			flags := parseFlags(t, "--manifest", manifestFile(t, tt.text))
			err := flags.Serve(ctx, Environment{
				Err:    io.Discard,
				Lookup: environment("AWS_ACCESS_KEY_ID", "root", "AWS_SECRET_ACCESS_KEY", "root-secret"),
				Ready:  stop,
			}, nil)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantMessage)
		})
	}

	t.Run("file missing", func(t *testing.T) {
		err := parseFlags(t, "--manifest", "none").Serve(t.Context(), Environment{
			Err:    io.Discard,
			Lookup: environment(),
		}, nil)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}
