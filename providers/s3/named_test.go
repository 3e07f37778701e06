package s3

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/s3server"
)

// writeSharedProfiles writes a shared file of AWS with the profiles work and broken, and returns its path.
func writeSharedProfiles(t *testing.T) string {
	t.Helper()
	const content = `
[work]
aws_access_key_id = profile
aws_secret_access_key = S3CR3T
region = eu-west-3

[broken]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = none
`
	path := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Config.Credentials names a profile of the shared files, or environment variables that begin with
// this name.
func TestCredentialsByName(t *testing.T) {
	tests := []struct {
		name          string
		credentials   string
		env           map[string]string
		wantAccessKey string // which signs the request
		wantErr       storage.Code
		wantHint      string
	}{
		{name: "a profile", credentials: "work", wantAccessKey: "profile"},
		{
			name:          "a profile, and an access key in the environment",
			credentials:   "work",
			env:           map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "S3CR3T"},
			wantAccessKey: "profile",
		},
		{
			name:        "a profile, and variables with its name",
			credentials: "work",
			env: map[string]string{
				"WORK_AWS_ACCESS_KEY_ID":     "variable",
				"WORK_AWS_SECRET_ACCESS_KEY": "S3CR3T",
			},
			wantAccessKey: "profile",
		},
		{
			name:        "variables with the name",
			credentials: "old-store",
			env: map[string]string{
				"OLD_STORE_AWS_ACCESS_KEY_ID":     "variable",
				"OLD_STORE_AWS_SECRET_ACCESS_KEY": "S3CR3T",
			},
			wantAccessKey: "variable",
		},
		{
			name:        "neither a profile nor variables",
			credentials: "other",
			env:         map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "S3CR3T"},
			wantErr:     storage.Unauthenticated,
			wantHint: "set OTHER_AWS_ACCESS_KEY_ID and OTHER_AWS_SECRET_ACCESS_KEY, " +
				"or add the profile other to the shared files of AWS",
		},
		{
			name:        "an access key without its secret",
			credentials: "other",
			env:         map[string]string{"OTHER_AWS_ACCESS_KEY_ID": "variable"},
			wantErr:     storage.Unauthenticated,
		},
		{name: "a profile that is not valid", credentials: "broken", wantErr: storage.InvalidArgument},
		{name: "a name with a space", credentials: "a b", wantErr: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, tt.env)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeSharedProfiles(t))
			server := newStandIn(t, stored)
			c := Config{
				Bucket:      "photos",
				Region:      "us-east-1",
				Endpoint:    server.URL,
				Credentials: tt.credentials,
			}
			d, err := NewDriver(t.Context(), c)
			if tt.wantErr != "" {
				require.ErrorIs(t, err, tt.wantErr)
				require.NotContains(t, err.Error(), "S3CR3T")
				if tt.wantHint != "" {
					require.Equal(t, tt.wantHint, err.(*storage.Error).Hint)
				}
				return
			}
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Close()) })
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)

			require.Contains(t, server.Last(t).Header.Get("Authorization"), "Credential="+tt.wantAccessKey+"/")
		})
	}
}

// Config.Credentials names a profile in the shared file of AWS, and the region comes from that
// profile.
func TestCredentialsByNameRegion(t *testing.T) {
	setEnv(t, nil)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeSharedProfiles(t))
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Credentials: "work"})
	require.NoError(t, err)
	require.Equal(t, "eu-west-3", d.(*objectDriver).account.region)
}

// Open fails with InvalidArgument if a Config has both Credentials and other credentials.
func TestCredentialsByNameExclusive(t *testing.T) {
	setEnv(t, nil)
	for name, change := range map[string]func(*Config){
		"an access key": func(c *Config) {
			c.AccessKeyID = "key"
			c.SecretKey = "secret"
		},
		"Anonymous": func(c *Config) {
			c.Anonymous = true
		},
		"AWS": func(c *Config) {
			c.AWS = &aws.Config{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Bucket: "photos", Region: "us-east-1", Credentials: "work"}
			change(&c)
			_, err := NewDriver(t.Context(), c)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A program can copy an object between two servers whose addresses name different credentials in
// the environment.
func TestOpenTwoAccounts(t *testing.T) {
	setEnv(t, nil)
	// open starts a server with a key of its own, and opens its bucket with credentials from the environment variables
	// that begin with a name.
	open := func(name, key string) storage.Bucket {
		secret := key + "-secret-of-16"
		s := s3server.ForTest(t, s3server.Config{
			Buckets:     []string{"photos"},
			Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret}},
		})
		prefix := strings.ToUpper(name)
		t.Setenv(prefix+"_AWS_ACCESS_KEY_ID", key)
		t.Setenv(prefix+"_AWS_SECRET_ACCESS_KEY", secret)
		b, err := storage.Open(t.Context(),
			"s3://photos?region=us-east-1&profile=minio&path_style=true&credentials="+name+"&endpoint="+s.URL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}

	src := open("old", "first-key-of-16c")
	dst := open("new", "second-key-of-16")

	_, err := src.Upload(t.Context(), "a", strings.NewReader("content"))
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), dst, "b", src, "a")
	require.NoError(t, err)

	data, _, err := storage.ReadAll(t.Context(), dst, "b")
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
}
